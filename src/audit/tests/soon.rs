//! Closings that wait for the next write: nothing of them is lost, and the order stands.

use super::fixture::{Faulty, Support, done, lines, settings, verified};
use crate::audit::Journal;
use crate::model::Clock;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn closings_are_written_with_the_next_opening_or_once_the_tasks_had_their_turn() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::start(settings(dir.path()), Clock::System).expect("start");
    let support = Support::new();
    let (one, two) = (
        journal.open(&support.opening()).await,
        journal.open(&support.opening()).await,
    );
    let before = lines(dir.path()).len();
    one.expect("recorded").close(&done());
    assert_eq!(lines(dir.path()).len(), before, "it waits");
    let three = journal.open(&support.opening()).await.expect("recorded");
    assert_eq!(lines(dir.path()).len(), before + 2, "one write took both");
    two.expect("recorded").close(&done());
    three.close(&done());
    assert_eq!(lines(dir.path()).len(), before + 2);
    tokio::task::yield_now().await;
    assert_eq!(
        lines(dir.path()).len(),
        before + 4,
        "both, without anybody's asking"
    );
    journal.stop("test");
    assert!(verified(dir.path()).is_intact());
}

#[tokio::test]
async fn what_was_pending_when_the_disk_filled_comes_first_when_there_is_room() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let journal = faulty.start(settings(dir.path())).expect("start");
    let support = Support::new();
    let held = journal.open(&support.opening()).await.expect("recorded");
    let exchange = held.exchange().to_string();
    faulty.full(0);
    held.close(&done());
    assert!(
        journal.open(&support.opening()).await.is_err(),
        "an opening is refused"
    );
    tokio::task::yield_now().await;
    faulty.full(i64::MAX);
    let after = journal
        .open(&support.opening())
        .await
        .expect("recorded again");
    after.close(&done());
    journal.stop("test");
    let all = lines(dir.path());
    let at = |event: &str| all.iter().position(|(name, _)| name == event);
    let closed = all.iter().position(|(name, record)| {
        name == "exchange.closed" && record["metadata"]["correlation_uid"] == exchange.as_str()
    });
    assert!(
        closed.is_some() && closed < at("journal.restored"),
        "{all:?}"
    );
    assert_eq!(journal.counters().lost.load(Ordering::Relaxed), 0);
    assert!(verified(dir.path()).is_intact());
}

#[tokio::test]
async fn a_stop_writes_what_is_pending() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::start(settings(dir.path()), Clock::System).expect("start");
    let support = Support::new();
    let receipt = journal.open(&support.opening()).await.expect("recorded");
    receipt.close(&done());
    drop(journal);
    let report = verified(dir.path());
    assert!(report.is_intact() && report.open_exchanges == 0, "{report}");
}
