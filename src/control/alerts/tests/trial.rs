//! Tests of channels: marked, on record, each channel's own answer, and not too often.

use crate::control::alerts::fixture::{Bench, Does, Fake, tess};
use crate::control::desk::Alarm as _;
use crate::control::refusal::Kind;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn each_channel_says_its_own_and_all_is_on_record() {
    let bench = Bench::new();
    let (good, bad) = (
        Fake::new(Does::Says(OK)).await,
        Fake::new(Does::Says(ERROR)).await,
    );
    // A channel is tested whatever alerts it is for.
    let alerts = bench.alerts(&format!(
        "[[alerts]]\nname = \"good\"\nkind = \"slack\"\nonly = [\"break-glass.*\"]\nurl = {:?}\n\
         [[alerts]]\nname = \"bad\"\nkind = \"slack\"\nurl = {:?}",
        good.url(),
        bad.url()
    ));
    let tried = alerts.test(None, &tess()).await.expect("both are tested");
    let said: Vec<_> = tried
        .iter()
        .map(|it| (it.channel.as_str(), it.kind, it.result, it.why.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            ("good", "slack", "taken", None),
            ("bad", "slack", "status", Some("answered 500")),
        ]
    );
    let got = good.got().concat();
    assert!(got.contains("TEST: tess@support.example tests"), "{got}");
    assert!(got.contains("alert.test"), "{got}");
    let noted = bench.happened("channel");
    let tested = |channel: &str| ("alert.tested".to_owned(), channel.to_owned());
    assert_eq!(noted, [tested("good"), tested("bad")]);
    assert_eq!(bench.happened("why"), [tested(""), tested("answered 500")]);
}

#[tokio::test]
async fn nobody_tests_twice_in_a_row() {
    let bench = Bench::new();
    let fake = Fake::new(Does::Says(OK)).await;
    let alerts = bench.alerts(&format!(
        "[[alerts]]\nname = \"one\"\nkind = \"slack\"\nurl = {:?}\n[alerting]\ntest_every = \"10s\"",
        fake.url()
    ));
    assert!(alerts.test(None, &tess()).await.is_ok());
    let again = alerts.test(Some("one"), &tess()).await;
    let again = again.expect_err("it is too soon");
    assert_eq!(
        (again.kind, again.reason),
        (Kind::TooMany, "alert.test-rate")
    );
    assert_eq!(fake.got().len(), 1);
    assert_eq!(alerts.0.counts.tests_too_soon.get(), 1);
    bench.pass(10);
    assert!(alerts.test(Some("one"), &tess()).await.is_ok());
    assert_eq!(fake.got().len(), 2);
}

#[tokio::test]
async fn without_a_channel_there_is_nothing_to_test() {
    let bench = Bench::new();
    for name in [None, Some("one")] {
        let refused = bench.alerts("").test(name, &tess()).await;
        assert_eq!(refused.map_err(|it| it.reason), Err("alert.no-channels"));
    }
}
