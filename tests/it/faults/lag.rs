//! A sink whose `on_lag` is `refuse`: while it lags, requests are refused and each refusal is on record.

use super::rig::{Rig, ask, wait};
use super::sink::{Receiver, in_order};
use crate::support::plan::free_port;

#[test]
fn requests_are_refused_until_the_sink_has_caught_up() {
    let port = free_port();
    let mut rig = Rig::running(&format!(
        "audit.sinks = [{{ name = 'siem', kind = 'webhook', url = 'http://127.0.0.1:{port}/in', retry_max = '200ms', on_lag = 'refuse', max_lag_records = 40 }}]"
    ));
    let mut answered = 0;
    let refused = wait(|| {
        let answer = rig.get("/page").expect("an answer");
        answered += usize::from(answer.status == 200);
        answer.status == 503
            && answer
                .text
                .contains("do not reach the place where they must be kept")
    });
    assert!(refused && answered >= 10, "{answered} answered");
    let reached = rig.app.reached();
    assert_eq!(rig.get("/page").expect("an answer").status, 503);
    assert_eq!(rig.app.reached(), reached, "nothing goes to the app");
    let ready = rig.ready().expect("an answer");
    assert!(
        ready.status == 503 && ready.text.contains("sink siem"),
        "{ready:?}"
    );
    let metrics = ask(rig.ops, "/metrics", "").expect("an answer").text;
    assert!(
        metrics.contains("locum_sink_lagging{sink=\"siem\"} 1"),
        "{metrics}"
    );

    let receiver = Receiver::start(port);
    let again = wait(|| rig.get("/page").is_some_and(|answer| answer.status == 200));
    assert!(again, "{}", rig.log());
    let last = rig.verified()["report"]["last_sequence"].as_u64();
    assert!(
        wait(|| receiver.seen().last().copied() >= last),
        "{:?}",
        receiver.seen()
    );
    in_order(&receiver.seen(), 1);
    let refusals = rig.records("exchange.refused");
    assert!(!refusals.is_empty(), "each refusal is on record");
    for refusal in &refusals {
        assert_eq!(refusal["status_detail"], "sink-lag");
        assert_eq!(refusal["locum"]["detail"], "siem");
    }
    let lags = rig.records("sink.lag");
    let lags: Vec<_> = lags
        .iter()
        .map(|it| it["locum"]["lagging"].clone())
        .collect();
    assert_eq!(lags, [true, false]);
    println!(
        "sink away with on_lag = refuse: {answered} answered before, {} refused and on record, {} records delivered in order after",
        refusals.len(),
        receiver.seen().len()
    );
    rig.stop();
}
