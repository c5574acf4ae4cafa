//! Rotation, and readers that follow it.

use super::fixture::{Faulty, Support, done, events, lines, small_segments, start, verified};
use crate::audit::session::{Bounds, of_session};
use crate::audit::tail::{Filter, From, Tail};
use crate::audit::{Durability, Journal, SessionPart, Settings, segment};
use crate::model::{Clock, Timestamp};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

#[test]
fn segments_stay_within_their_size_and_chain_without_a_gap() {
    let dir = tempfile::tempdir().expect("dir");
    let small = small_segments(dir.path());
    let journal = Journal::start(small, Clock::System).expect("start");
    let support = Support::new();
    (0..40).for_each(|_| support.exchange(&journal));
    journal.stop("test");
    let segments = segment::list(dir.path()).expect("list");
    for first in &segments {
        let len = std::fs::metadata(segment::path(dir.path(), *first))
            .expect("metadata")
            .len();
        // The footer and the carried exchanges come on top.
        assert!(len < 8192 + 1024, "{len}");
    }
    let sequence: Vec<_> = lines(dir.path())
        .iter()
        .map(|(_, r)| r["seq"].as_u64().expect("seq"))
        .collect();
    assert_eq!(sequence, (1..=sequence.len() as u64).collect::<Vec<_>>());
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.segments, segments.len() as u64);
}

#[test]
fn room_is_taken_ahead_of_the_records_and_given_back_at_the_end() {
    let dir = tempfile::tempdir().expect("dir");
    let probe = tempfile::tempfile_in(dir.path()).expect("file");
    let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
    let takes_room = rustix::fs::fallocate(&probe, flags, 0, 4096).is_ok();
    let stand = || {
        let path = segment::path(dir.path(), 1);
        let it = std::fs::metadata(path).expect("metadata");
        (it.len(), it.blocks() * 512)
    };
    for start_no in [1, 2] {
        let journal = start(dir.path());
        Support::new().exchange(&journal);
        let (len, room) = stand();
        assert!(
            !takes_room || room >= 1 << 20,
            "{start_no}: {room} for {len}"
        );
        assert!(len < 16 << 10, "{len}");
        journal.stop("test");
        let (len, room) = stand();
        assert!(room < len + (16 << 10), "{start_no}: {room} for {len}");
    }
    let report = verified(dir.path());
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
}

#[test]
fn the_next_segment_is_the_file_that_was_made_ready_for_it() {
    let dir = tempfile::tempdir().expect("dir");
    let spare = dir.path().join("segment.spare");
    std::fs::write(&spare, "what a crash left").expect("written");
    let journal = Journal::start(small_segments(dir.path()), Clock::System).expect("start");
    assert!(!spare.exists());
    let support = Support::new();
    (0..3).for_each(|_| support.exchange(&journal));
    let count = || segment::list(dir.path()).expect("list").len();
    let deadline = Instant::now() + Duration::from_secs(20);
    while journal.core().writer.lock().spare.is_none() {
        assert!(Instant::now() < deadline, "no spare file");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ready = std::fs::metadata(&spare).expect("metadata").ino();
    let before = count();
    while count() == before {
        support.exchange(&journal);
    }
    let last = *segment::list(dir.path())
        .expect("list")
        .last()
        .expect("one");
    let path = segment::path(dir.path(), last);
    assert_eq!(std::fs::metadata(path).expect("metadata").ino(), ready);
    journal.stop("test");
    assert!(!spare.exists(), "it is removed by a stop");
    let report = verified(dir.path());
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
}

#[test]
fn the_room_of_the_next_segment_is_given_back_when_a_record_finds_none() {
    let dir = tempfile::tempdir().expect("dir");
    let spare = dir.path().join("segment.spare");
    let faulty = Faulty::new();
    let journal = faulty.start(small_segments(dir.path())).expect("start");
    let support = Support::new();
    (0..3).for_each(|_| support.exchange(&journal));
    let deadline = Instant::now() + Duration::from_secs(20);
    while journal.core().writer.lock().spare.is_none() {
        assert!(Instant::now() < deadline, "no spare file");
        std::thread::sleep(Duration::from_millis(10));
    }
    faulty.full(0);
    assert!(support.open(&journal).is_err(), "the disk is full");
    assert!(!spare.exists() && journal.core().writer.lock().spare.is_none());
    faulty.full(i64::MAX);
    support.exchange(&journal);
    journal.stop("test");
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
}

#[test]
fn nothing_is_written_behind_a_footer_while_it_is_synced() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    support.exchange(&journal);
    let sync = |is_under_way| journal.core().writer.lock().syncing = is_under_way;
    sync(true);
    journal.core().writer.lock().seal_last();
    assert!(support.open(&journal).is_err());
    sync(false);
    support.exchange(&journal);
    journal.stop("test");
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
}

#[test]
fn tail_shows_what_was_asked_for_in_one_safe_line_each() {
    let dir = tempfile::tempdir().expect("dir");
    let small = small_segments(dir.path());
    let journal = Journal::start(small, Clock::System).expect("start");
    let support = Support::new();
    (0..10).for_each(|_| support.exchange(&journal));
    journal.stop("\u{1b}[31mred");
    let tail = |from, filter| {
        let entries: Result<Vec<_>, _> = Tail::new(dir.path(), from, false, filter).collect();
        entries.expect("readable")
    };
    let all = tail(From::Start, Filter::default());
    assert_eq!(all.len(), lines(dir.path()).len());
    let three = tail(From::Last(3), Filter::default());
    assert_eq!(
        three.iter().map(|e| e.sequence).collect::<Vec<_>>(),
        all[all.len() - 3..]
            .iter()
            .map(|e| e.sequence)
            .collect::<Vec<_>>()
    );
    assert_eq!(tail(From::Last(9999), Filter::default()).len(), all.len());
    let opened = Filter {
        event: Some("exchange".into()),
        tenant: Some("acme".into()),
        ..Filter::default()
    };
    assert_eq!(tail(From::Start, opened).len(), 20);
    let other = Filter {
        operator: Some("eve".into()),
        ..Filter::default()
    };
    assert!(tail(From::Start, other).is_empty());

    let line = all[1].pretty();
    for part in [
        "exchange.opened",
        "ada@support.example→kim@acme.example",
        "GET /orders/17?tab=items&token=[redacted]",
        "permit orders-read",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(all[2].pretty().contains("done 200"), "{}", all[2].pretty());
    let stopped = all.last().expect("records").pretty();
    assert!(
        !stopped.contains('\u{1b}') && stopped.contains("[31mred"),
        "{stopped}"
    );
}

#[test]
fn tail_follows_a_journal_as_it_grows_and_rotates() {
    let dir = tempfile::tempdir().expect("dir");
    let small = small_segments(dir.path());
    let journal = Journal::start(small, Clock::System).expect("start");
    let mut tail = Tail::new(dir.path(), From::Start, true, Filter::default());
    assert_eq!(
        tail.next().expect("one").expect("readable").event(),
        "process.started"
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let support = Support::new();
            (0..50).for_each(|_| support.exchange(&journal));
        });
        let closed = tail.by_ref().map(|e| e.expect("readable"));
        assert_eq!(
            closed
                .filter(|e| e.event() == "exchange.closed")
                .take(50)
                .count(),
            50
        );
    });
}

#[test]
fn tail_never_goes_past_a_broken_record() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    Support::new().exchange(&journal);
    journal.stop("test");
    let path = segment::path(dir.path(), 1);
    let mut bytes = std::fs::read(&path).expect("read");
    let second = bytes.iter().position(|b| *b == b'\n').expect("newline") + 20;
    bytes[second] ^= 1;
    std::fs::write(&path, bytes).expect("write");
    let all: Vec<_> = Tail::new(dir.path(), From::Start, false, Filter::default()).collect();
    assert_eq!(all.len(), 2);
    assert!(
        all[1]
            .as_ref()
            .is_err_and(|e| e.to_string().contains("record 2"))
    );
}

#[test]
fn one_sessions_records_are_found_across_segments_within_bounds() {
    let dir = tempfile::tempdir().expect("dir");
    let small = small_segments(dir.path());
    let journal = Journal::start(small, Clock::System).expect("start");
    let before = Timestamp::now();
    let (wanted, other) = (Support::new(), Support::new());
    for _ in 0..20 {
        wanted.exchange(&journal);
        other.exchange(&journal);
    }
    journal.stop("test");
    assert!(segment::list(dir.path()).expect("list").len() > 2);
    let open = wanted.opening();
    let session = open
        .session
        .and_then(SessionPart::session)
        .expect("a session")
        .to_string();
    let find = |records, bytes| {
        let bounds = Bounds { records, bytes };
        of_session(dir.path(), &session, before, bounds).expect("readable")
    };
    let all = find(1000, u64::MAX);
    assert_eq!((all.entries.len(), all.cut), (40, false));
    let few = find(7, u64::MAX);
    assert_eq!((few.entries.len(), few.cut), (7, true));
    let little = find(1000, 10_000);
    assert!(little.cut && little.entries.len() < 40);
}

#[test]
fn a_segment_is_sealed_at_its_age_and_at_a_stop() {
    for durability in [Durability::Process, Durability::Disk] {
        let dir = tempfile::tempdir().expect("dir");
        let settings = || Settings {
            segment_age: Duration::from_millis(100),
            durability,
            ..small_segments(dir.path())
        };
        let support = Support::new();
        let journal = Journal::start(settings(), Clock::System).expect("start");
        let open = support.open(&journal).expect("recorded");
        let deadline = Instant::now() + Duration::from_secs(20);
        let sealed = || {
            events(dir.path())
                .iter()
                .filter(|it| *it == "segment.sealed")
                .count()
        };
        while sealed() < 1 {
            assert!(Instant::now() < deadline, "{:?}", events(dir.path()));
            std::thread::sleep(Duration::from_millis(10));
        }
        // What is open is carried over; an empty segment stays as it is.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(sealed(), 1);
        open.close(&done());
        journal.stop("test");
        let all = events(dir.path());
        let [.., stopped, last] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(
            (stopped.as_str(), last.as_str()),
            ("process.stopped", "segment.sealed")
        );
        let report = verified(dir.path());
        assert!(report.is_intact() && report.open_exchanges == 0, "{report}");
        let journal = Journal::start(settings(), Clock::System).expect("start");
        support.exchange(&journal);
        journal.stop("test");
        let started = lines(dir.path());
        let started = started
            .iter()
            .filter(|(event, _)| event == "process.started");
        let clean: Vec<_> = started
            .map(|(_, it)| it["locum"]["clean"].clone())
            .collect();
        assert_eq!(clean, [true, true], "a stop that seals is in order");
        assert!(verified(dir.path()).is_intact());
    }
}
