//! Raising, and sending again until every channel took it or its time is over.

use crate::control::alerts::fixture::{Bench, Does, Fake, alert, until};
use crate::control::desk::Alarm as _;
use crate::model::AlertState;
use std::time::{Duration, Instant};

const OK: Does = Does::Says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const ERROR: Does = Does::Says("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");

fn slack(name: &str, fake: &Fake, more: &str) -> String {
    let url = fake.url();
    format!("[[alerts]]\nname = {name:?}\nkind = \"slack\"\nurl = {url:?}\n{more}\n")
}

#[tokio::test]
async fn raising_waits_for_the_first_yes_only() {
    let bench = Bench::new();
    let (hangs, takes) = (Fake::new(Does::Hangs).await, Fake::new(OK).await);
    let alerts =
        bench.alerts(&(slack("hangs", &hangs, "timeout = \"2s\"") + &slack("takes", &takes, "")));
    let alert = alert("break-glass.activated");
    bench.store(&alert);
    let began = Instant::now();
    let taken = alerts.raise(&alert).await;
    assert_eq!(taken, Ok(vec!["takes".to_owned()]));
    assert!(
        began.elapsed() < Duration::from_millis(1_500),
        "waited for the slow one"
    );
    // The other goes on, and what it said is written down too.
    until("both are noted", || bench.happened("channel").len() == 2).await;
    assert_eq!(
        bench.happened("channel"),
        [
            ("alert.taken".to_owned(), "takes".to_owned()),
            ("alert.failed".to_owned(), "hangs".to_owned())
        ]
    );
    until("the round is over", || bench.stored(alert.id).attempts == 1).await;
    let stored = bench.stored(alert.id);
    assert_eq!(stored.state, AlertState::Taken);
    assert_eq!(stored.taken_by, ["takes"]);
    assert_eq!(hangs.got().len(), 1);
}

#[tokio::test]
async fn raising_fails_with_every_reason_when_all_refuse() {
    let bench = Bench::new();
    let (one, other) = (Fake::new(ERROR).await, Fake::new(Does::Closes).await);
    let alerts = bench.alerts(&(slack("one", &one, "") + &slack("other", &other, "")));
    let alert = alert("break-glass.activated");
    bench.store(&alert);
    let why = alerts.raise(&alert).await.err().unwrap_or_default();
    assert!(why.contains("one: answered 503"), "{why}");
    assert!(why.contains("other: no whole answer"), "{why}");
    until("the round is over", || bench.stored(alert.id).attempts == 1).await;
    assert_eq!(bench.stored(alert.id).state, AlertState::Waiting);
}

#[tokio::test]
async fn raising_fails_without_a_channel_for_it() {
    let bench = Bench::new();
    let takes = Fake::new(OK).await;
    let alerts = bench.alerts(&slack("takes", &takes, "only = [\"review.*\"]"));
    let why = alerts.raise(&alert("break-glass.activated")).await;
    assert_eq!(
        why,
        Err("no alert channel is configured for break-glass.activated".to_owned())
    );
    assert_eq!(takes.got().len(), 0);
}

#[tokio::test]
async fn what_failed_is_sent_again_to_whom_it_failed_with() {
    let bench = Bench::new();
    let (down, up) = (Fake::new(ERROR).await, Fake::new(OK).await);
    let alerts = bench.alerts(
        &(slack("down", &down, "") + &slack("up", &up, "") + "[alerting]\nretry_first = \"10s\""),
    );
    let alert = alert("review.overdue");
    bench.store(&alert);
    alerts.look_through().await;
    until("one took it", || bench.stored(alert.id).attempts == 1).await;
    assert_eq!(bench.stored(alert.id).state, AlertState::Taken);

    alerts.look_through().await;
    assert_eq!(down.got().len(), 1, "not before its time");
    bench.pass(11);
    down.now_does(OK);
    alerts.look_through().await;
    until("both took it", || {
        bench.stored(alert.id).state == AlertState::Settled
    })
    .await;
    let stored = bench.stored(alert.id);
    assert_eq!(stored.taken_by, ["up", "down"]);
    assert_eq!((up.got().len(), down.got().len()), (1, 2));
    bench.pass(1_000_000);
    alerts.look_through().await;
    assert_eq!(down.got().len(), 2, "a settled alert is sent no more");
}

#[tokio::test]
async fn a_waiting_alert_outlives_the_process() {
    let bench = Bench::new();
    let fake = Fake::new(ERROR).await;
    let channel = slack("one", &fake, "");
    let alert = alert("workload.shared");
    bench.store(&alert);
    let before = bench.alerts(&channel);
    before.look_through().await;
    until("it failed", || bench.stored(alert.id).attempts == 1).await;
    drop(before);
    fake.now_does(OK);
    bench.pass(60);
    let after = bench.alerts(&channel);
    after.look_through().await;
    until("it was taken", || {
        bench.stored(alert.id).state == AlertState::Settled
    })
    .await;
}

#[tokio::test]
async fn after_its_time_it_is_given_up_on_record() {
    let bench = Bench::new();
    let fake = Fake::new(ERROR).await;
    let alerts = bench.alerts(&(slack("one", &fake, "") + "[alerting]\ngive_up = \"1h\""));
    let alert = alert("review.overdue");
    bench.store(&alert);
    bench.pass(3_601);
    alerts.look_through().await;
    until("it is given up", || {
        bench.stored(alert.id).state == AlertState::Failed
    })
    .await;
    let codes: Vec<String> = bench
        .happened("channel")
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    assert_eq!(codes, ["alert.failed", "alert.given-up"]);
    bench.pass(100_000);
    alerts.look_through().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(fake.got().len(), 1);
}

#[tokio::test]
async fn a_reload_changes_the_channels() {
    let bench = Bench::new();
    let (old, new) = (Fake::new(ERROR).await, Fake::new(OK).await);
    let alerts = bench.alerts(&slack("old", &old, ""));
    let alert = alert("review.overdue");
    bench.store(&alert);
    alerts.look_through().await;
    until("it failed", || bench.stored(alert.id).attempts == 1).await;
    alerts.reload(bench.settings(&slack("new", &new, "")));
    assert_eq!(alerts.channels(), ["new"]);
    bench.pass(60);
    alerts.look_through().await;
    until("the new one took it", || {
        bench.stored(alert.id).state == AlertState::Settled
    })
    .await;
    assert_eq!((old.got().len(), new.got().len()), (1, 1));
}

#[tokio::test]
async fn no_more_than_allowed_are_sent_again_at_once() {
    let bench = Bench::new();
    let hangs = Fake::new(Does::Hangs).await;
    let alerts =
        bench.alerts(&(slack("one", &hangs, "timeout = \"1s\"") + "[alerting]\nmax_under_way = 2"));
    for _ in 0..5 {
        bench.store(&alert("review.overdue"));
    }
    alerts.look().await;
    alerts.look().await;
    until("two are sent", || hangs.got().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(hangs.got().len(), 2);
    // Break-glass waits for none of them.
    let glass = alert("break-glass.activated");
    bench.store(&glass);
    let raised = tokio::time::timeout(Duration::from_millis(300), alerts.raise(&glass)).await;
    assert!(raised.is_err(), "the channel hangs");
    assert_eq!(hangs.got().len(), 3);
}

#[tokio::test]
async fn what_people_read_names_the_essentials() {
    let bench = Bench::new();
    let fake = Fake::new(OK).await;
    let alerts = bench.alerts(&slack("one", &fake, ""));
    let alert = alert("break-glass.activated");
    bench.store(&alert);
    assert!(alerts.raise(&alert).await.is_ok());
    let got = fake.got().join("\n");
    for essential in ["INC-7", "ada@support.example", "acme", "shop", "CRITICAL"] {
        assert!(got.contains(essential), "{essential} is missing in {got}");
    }
    assert!(got.contains(&alert.id.to_string()), "{got}");
}
