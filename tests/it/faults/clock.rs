//! A clock that is set while Locum serves: on record, counted, and a step back refuses, since it would give ended time to grants
//! again.

use super::rig::{Rig, wait};
use super::shim::{Place, Shim};

/// More than `store.max_clock_step` (60 s).
const HOUR: i32 = 3600;

fn steps(rig: &Rig) -> Vec<(i64, String)> {
    let of = |record: serde_json::Value| {
        let locum = &record["locum"];
        let (wall, expected) = (locum["wall"].as_i64(), locum["expected"].as_i64());
        let by = wall.expect("a time") - expected.expect("a time");
        assert_eq!(Some(by.abs()), locum["by_ms"].as_i64(), "{record}");
        assert!(locum["monotonic"].as_u64() > Some(0), "{record}");
        let direction = locum["direction"].as_str().expect("a word");
        (by, direction.to_owned())
    };
    rig.records("clock.stepped").into_iter().map(of).collect()
}

/// The step is that of the test, but for the time between two looks at the clocks.
fn is(step: Option<&(i64, String)>, seconds: i32, direction: &str) {
    let (by, said) = step.expect("a record of the step");
    assert_eq!(said, direction);
    assert!((by - 1000 * i64::from(seconds)).abs() < 1000, "{by}");
}

#[test]
fn a_clock_that_is_set_is_on_record_and_back_is_refused() {
    let mut rig = Rig::new("");
    rig.shim = Some(Shim::new(rig.dir()));
    rig.start();
    rig.enter();
    let set = |seconds| {
        let shim = rig.shim.as_ref().expect("it has one");
        shim.set(Place::ClockStepSeconds, seconds);
    };
    assert_eq!(rig.get("/before").expect("an answer").status, 200);
    assert!(steps(&rig).is_empty());
    set(5);
    assert!(wait(|| steps(&rig).len() == 1), "{}", rig.log());
    is(steps(&rig).first(), 5, "forward");
    assert_eq!(rig.get("/ahead").expect("an answer").status, 200);
    set(-HOUR);
    assert!(wait(|| steps(&rig).len() == 2), "{}", rig.log());
    is(steps(&rig).last(), -HOUR - 5, "back");
    let refused = || rig.get("/again").is_some_and(|it| it.status == 503);
    assert!(wait(refused), "ended time is given again");
    let reached = rig.app.reached();
    let answer = rig.get("/again").expect("an answer");
    assert!(answer.text.contains("stale-store"), "{}", answer.text);
    assert_eq!(rig.app.reached(), reached);
    let ready = rig.ready().expect("an answer");
    assert!(ready.text.contains("stepped back"), "{}", ready.text);
    set(5);
    assert!(wait(|| steps(&rig).len() == 3), "{}", rig.log());
    let works = || rig.get("/after").is_some_and(|it| it.status == 200);
    assert!(wait(works), "it goes on when the clock is right again");
    rig.stop();
    rig.verified();
    println!("steps on record, in milliseconds: {:?}", steps(&rig));
}
