//! Strangers who are refused by the thousand: so many records a second, the rest in counts, and every refusal in one of the two.

use super::rig::{Rig, ask};
use std::thread;
use std::time::Instant;

const CLIENTS: usize = 8;
const EACH: usize = 250;

#[test]
fn refusals_of_strangers_are_bounded_and_every_one_counts() {
    let mut rig = Rig::running("audit.max_stranger_records = 5");
    let (began, port) = (Instant::now(), rig.port);
    let stranger = || {
        for n in 0..EACH {
            let answer = ask(port, &format!("/stranger/{n}"), "").expect("an answer");
            assert_eq!(answer.status, 401, "{}", answer.text);
        }
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(stranger);
        }
    });
    let seconds = began.elapsed().as_secs() + 2;
    // Who has a session is recorded one by one all the while.
    for n in 0..50 {
        assert_eq!(
            rig.get(&format!("/mine/{n}")).expect("an answer").status,
            200
        );
    }
    let counted_by_metric = rig.metric("locum_limit_hits_total{limit=\"StrangerRecords\"}");
    rig.stop();
    rig.verified();
    let singly = rig.records("exchange.refused").len();
    let counts = rig.records("refusals.counted");
    let sum = |of: &dyn Fn(&serde_json::Value) -> Option<u64>| -> u64 {
        counts
            .iter()
            .map(|it| of(&it["locum"]).expect("a number"))
            .sum()
    };
    let counted = sum(&|it| it["refusals"].as_u64());
    assert_eq!(sum(&|it| it["reasons"]["no-session"].as_u64()), counted);
    assert_eq!(sum(&|it| it["addresses"]["127.0.0.1"].as_u64()), counted);
    assert_eq!(sum(&|it| it["elsewhere"].as_u64()), 0);
    println!(
        "{} refusals in {seconds} s: {singly} records of their own, {counted} in {} counts",
        CLIENTS * EACH,
        counts.len()
    );
    assert_eq!(singly as u64 + counted, (CLIENTS * EACH) as u64);
    assert_eq!(counted_by_metric, Some(counted));
    assert!(singly as u64 <= 5 * seconds, "{singly} in {seconds} s");
    assert_eq!(rig.lines_with("/mine/").len(), 50);
}
