//! A disk that is full, fails, or lies: requests are refused, what was kept stays, and it comes back by itself.

use super::fixture::{
    Faulty, Support, block_on, done, durable, events, lines, settings, small_segments, start,
    verified,
};
use crate::audit::{Event, Journal, Settings};
use crate::model::Clock;
use std::sync::atomic::Ordering;

#[test]
fn a_full_disk_refuses_keeps_and_comes_back() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let journal = faulty.start(settings(dir.path())).expect("start");
    let support = Support::new();
    let held = support.open(&journal).expect("recorded");
    for room in [0, 1, 100, 500] {
        faulty.full(room);
        let refused = support.open(&journal).expect_err("full");
        assert!(refused.to_string().contains("free space"), "{refused}");
        let report = verified(dir.path());
        assert!(
            report.is_intact() && report.notes.is_empty(),
            "{room}: {report}"
        );
    }
    faulty.full(0);
    held.close(&done());
    assert!(journal.check().is_err());
    assert_eq!(journal.counters().queued.load(Ordering::Relaxed), 1);
    faulty.full(i64::MAX);
    support.exchange(&journal);
    assert!(journal.check().is_ok());
    assert!(!journal.counters().refusing.load(Ordering::Relaxed));

    let names = events(dir.path());
    let expected = [
        "process.started",
        "exchange.opened",
        "exchange.closed",
        "journal.restored",
        "exchange.opened",
        "exchange.closed",
    ];
    assert_eq!(names, expected);
    let all = lines(dir.path());
    assert_eq!(all[3].1["locum"]["refused"], 4);
    assert_eq!(all[3].1["locum"]["queued"], 1);
    assert_eq!(all[3].1["locum"]["lost"], 0);
    assert_eq!(journal.counters().refused.load(Ordering::Relaxed), 4);
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.open_exchanges, 0);
}

#[test]
fn a_partial_line_that_cannot_be_cut_at_once_is_cut_later() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let journal = faulty.start(settings(dir.path())).expect("start");
    let support = Support::new();
    faulty.full(300);
    faulty.cut_fails.store(true, Ordering::SeqCst);
    assert!(support.open(&journal).is_err());
    assert_eq!(
        verified(dir.path()).notes.len(),
        1,
        "the partial line is there, and harmless"
    );
    faulty.full(i64::MAX);
    assert!(
        support.open(&journal).is_err(),
        "not before the rest is gone"
    );
    faulty.cut_fails.store(false, Ordering::SeqCst);
    support.exchange(&journal);
    journal.stop("test");
    let report = verified(dir.path());
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
}

#[test]
fn more_closings_than_the_queue_holds_are_counted_and_said() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let bounded = Settings {
        close_queue: 3,
        ..settings(dir.path())
    };
    let journal = faulty.start(bounded).expect("start");
    let support = Support::new();
    let held: Vec<_> = (0..5)
        .map(|_| support.open(&journal).expect("recorded"))
        .collect();
    faulty.full(0);
    for receipt in held {
        receipt.close(&done());
    }
    faulty.full(i64::MAX);
    support.exchange(&journal);
    let all = lines(dir.path());
    let restored = all
        .iter()
        .find(|(event, _)| event == "journal.restored")
        .expect("restored");
    // The first was chained already when the disk refused it: it waits beside the queue.
    assert_eq!(restored.1["locum"]["queued"], 4);
    assert_eq!(restored.1["locum"]["lost"], 1);
    assert_eq!(journal.counters().lost.load(Ordering::Relaxed), 1);
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn a_disk_that_fills_while_a_segment_ends_is_survived_at_every_byte() {
    for room in (0..6000).step_by(97) {
        let dir = tempfile::tempdir().expect("dir");
        let faulty = Faulty::new();
        let small = Settings {
            segment_bytes: 4096,
            ..settings(dir.path())
        };
        let journal = faulty.start(small).expect("start");
        let support = Support::new();
        faulty.full(room);
        while let Ok(receipt) = support.open(&journal) {
            receipt.close(&done());
        }
        faulty.open_fails.store(true, Ordering::SeqCst);
        faulty.full(900);
        let _ = support.open(&journal);
        faulty.open_fails.store(false, Ordering::SeqCst);
        faulty.full(i64::MAX);
        support.exchange(&journal);
        journal.stop("test");
        let report = verified(dir.path());
        assert!(
            report.is_intact() && report.notes.is_empty(),
            "{room}: {report}"
        );
        assert_eq!(report.open_exchanges, 0, "{room}");
    }
}

#[test]
fn a_failed_sync_refuses_until_a_new_segment_is_on_disk() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let journal = faulty.start(durable(dir.path())).expect("start");
    let support = Support::new();
    support.exchange(&journal);
    faulty.sync_fails.store(true, Ordering::SeqCst);
    assert!(support.open(&journal).is_err());
    assert!(support.open(&journal).is_err());
    assert!(block_on(journal.event(&Event::ConfigReloaded { digest: "a" })).is_err());
    faulty.sync_fails.store(false, Ordering::SeqCst);
    support.exchange(&journal);
    journal.stop("test");
    assert_eq!(
        crate::audit::segment::list(dir.path()).expect("list").len(),
        2,
        "the poisoned one was sealed"
    );
    let all = lines(dir.path());
    let restored = all
        .iter()
        .find(|(event, _)| event == "journal.restored")
        .expect("restored");
    assert_eq!(restored.1["locum"]["refused"], 3);
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.open_exchanges, 0, "the refused opening was closed");
}

#[test]
fn many_openings_share_one_sync() {
    let dir = tempfile::tempdir().expect("dir");
    let faulty = Faulty::new();
    let journal = faulty.start(durable(dir.path())).expect("start");
    let support = Support::new();
    block_on(async {
        let openings: Vec<_> = (0..200).map(|_| support.opening()).collect();
        let opened = openings.iter().map(|opening| journal.open(opening));
        for receipt in futures_util::future::join_all(opened).await {
            receipt.expect("recorded").close(&done());
        }
    });
    let syncs = journal.counters().syncs.load(Ordering::Relaxed);
    assert!(syncs < 150, "{syncs} syncs for 200 openings");
    journal.stop("test");
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.records, report.open_exchanges), (402, 0));
}

#[test]
fn an_opening_given_up_while_it_waits_is_closed_as_aborted() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Faulty::new().start(durable(dir.path())).expect("start");
    let support = Support::new();
    block_on(async {
        let opening = support.opening();
        let mut open = Box::pin(journal.open(&opening));
        let _ = futures_util::poll!(open.as_mut());
        drop(open);
    });
    journal.stop("test");
    assert_eq!(verified(dir.path()).open_exchanges, 0);
}

#[test]
fn nothing_is_recorded_after_the_stop() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Faulty::new().start(settings(dir.path())).expect("start");
    let support = Support::new();
    let held = support.open(&journal).expect("recorded");
    journal.stop("test");
    assert!(support.open(&journal).is_err());
    held.close(&done());
    assert_eq!(
        events(dir.path()).last().map(String::as_str),
        Some("process.stopped")
    );
}

#[test]
fn a_directory_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("dir");
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path(), mode).expect("ours");
    };
    for open in [0o777, 0o1777, 0o702] {
        mode(open);
        let refused = Journal::start(settings(dir.path()), Clock::System);
        let refused = refused.expect_err("refused").to_string();
        assert!(refused.contains("chmod o-w"), "{refused}");
    }
    // Where a container's volume belongs to a group.
    mode(0o2770);
    start(dir.path()).stop("test");
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let dir = tempfile::tempdir().expect("dir");
    let victim = dir.path().join("victim");
    std::fs::write(&victim, "precious").expect("write");
    for name in ["lock", "segment-0000000000000001.jsonl"] {
        let journal = dir.path().join(format!("journal-{name}"));
        std::fs::create_dir(&journal).expect("dir");
        std::os::unix::fs::symlink(&victim, journal.join(name)).expect("link");
        assert!(Journal::start(settings(&journal), Clock::System).is_err());
        assert_eq!(std::fs::read(&victim).expect("read"), b"precious");
    }
    // The next segment's place, while it serves.
    let place = dir.path().join("serving");
    let journal = Journal::start(small_segments(&place), Clock::System).expect("start");
    let support = Support::new();
    for next in 2..400 {
        let link = place.join(format!("segment-{next:016}.jsonl"));
        std::os::unix::fs::symlink(&victim, link).expect("link");
    }
    let refused = (0..100).any(|_| support.open(&journal).is_err());
    assert!(refused, "it went on through a link");
    assert_eq!(std::fs::read(&victim).expect("read"), b"precious");
    journal.stop("test");
}
