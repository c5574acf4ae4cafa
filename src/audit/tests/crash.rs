//! What a killed process leaves, and what the next start makes of it.

use super::fixture::{Support, events, lines, settings, small_segments, start, verified};
use crate::audit::{Journal, StartError, chain, segment};
use crate::model::Clock;
use std::fs;

/// Ends a journal as a kill would, with one exchange open, and returns the segment's bytes.
fn killed(dir: &std::path::Path) -> Vec<u8> {
    let journal = start(dir);
    let support = Support::new();
    support.exchange(&journal);
    let receipt = support.open(&journal).expect("recorded");
    drop(journal);
    // It outlived its journal: nothing can be written any more.
    drop(receipt);
    fs::read(segment::path(dir, 1)).expect("segment")
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_said_and_verified() {
    let dir = tempfile::tempdir().expect("dir");
    let good = killed(dir.path());
    let path = segment::path(dir.path(), 1);
    let whole: Vec<_> = (0..=good.len())
        .filter(|at| *at == 0 || good[at - 1] == b'\n')
        .collect();
    // A debug build takes every 13th byte and those around newlines.
    let step = if cfg!(debug_assertions) { 13 } else { 1 };
    let is_near = |end: usize| whole.iter().any(|at| at.abs_diff(end) < 3);
    for end in (0..=good.len()).filter(|end| end % step == 0 || is_near(*end)) {
        fs::write(&path, &good[..end]).expect("write");
        start(dir.path()).stop("test");
        let report = verified(dir.path());
        assert!(
            report.is_intact() && report.notes.is_empty(),
            "{end}: {report}"
        );
        assert_eq!(report.open_exchanges, 0, "{end}");
        let kept = whole.iter().rfind(|at| **at <= end).expect("start");
        let cut = &good[*kept..end];
        let all = lines(dir.path());
        let recovered = all.iter().find(|(event, _)| event == "journal.recovered");
        assert_eq!(recovered.is_some(), !cut.is_empty(), "{end}");
        if let Some((_, record)) = recovered {
            assert_eq!(record["locum"]["cut_bytes"], cut.len());
            let hash = String::from_utf8(chain::sha256(cut).to_vec()).expect("hex");
            assert_eq!(record["locum"]["cut_sha256"], hash.as_str());
        }
        assert!(
            fs::read(&path).expect("read").starts_with(&good[..*kept]),
            "nothing kept was rewritten"
        );
    }
}

#[test]
fn room_in_which_nothing_arrived_is_cut_however_much_it_is() {
    for zeros in [1, 100, 1 << 20, (5 << 20) + 13] {
        let dir = tempfile::tempdir().expect("dir");
        let good = killed(dir.path());
        let path = segment::path(dir.path(), 1);
        let whole = 1 + good
            .iter()
            .rposition(|byte| *byte == b'\n')
            .expect("a line");
        for begun in [0, 7] {
            let tail = [b"{\"time\"", &vec![0; zeros][..]].concat();
            let tail = &tail[7 - begun..];
            fs::write(&path, [&good[..whole], tail].concat()).expect("write");
            let report = verified(dir.path());
            assert!(
                report.is_intact() && report.notes.len() == 1,
                "{zeros}: {report}"
            );
            start(dir.path()).stop("test");
            let all = lines(dir.path());
            let recovered = all.iter().find(|(event, _)| event == "journal.recovered");
            let told = &recovered.expect("it is said").1["locum"];
            assert_eq!(told["cut_bytes"], tail.len(), "{zeros}");
            let hash = String::from_utf8(chain::sha256(tail).to_vec()).expect("hex");
            assert_eq!(told["cut_sha256"], hash.as_str(), "{zeros}");
            assert!(verified(dir.path()).is_intact());
        }
    }
}

#[test]
fn an_exchange_open_at_the_crash_is_noted_once() {
    let dir = tempfile::tempdir().expect("dir");
    killed(dir.path());
    assert_eq!(verified(dir.path()).open_exchanges, 1);
    start(dir.path()).stop("test");
    start(dir.path()).stop("test");
    let all = lines(dir.path());
    let starts: Vec<_> = all
        .iter()
        .filter(|(e, _)| e == "process.started")
        .map(|(_, r)| &r["locum"]["clean"])
        .collect();
    assert_eq!(starts, [true, false, true]);
    let aborted: Vec<_> = all
        .iter()
        .filter(|(e, _)| e == "exchange.aborted")
        .collect();
    assert_eq!(aborted.len(), 1);
    assert_eq!(aborted[0].1["locum"]["cause"], "crash");
    assert_eq!(verified(dir.path()).open_exchanges, 0);
}

#[test]
fn an_exchange_open_over_many_segments_is_still_known() {
    let dir = tempfile::tempdir().expect("dir");
    let small = || small_segments(dir.path());
    let journal = Journal::start(small(), Clock::System).expect("start");
    let support = Support::new();
    let long = support.open(&journal).expect("recorded");
    (0..30).for_each(|_| support.exchange(&journal));
    let exchange = long.exchange().to_string();
    drop(journal);
    drop(long);
    assert!(segment::list(dir.path()).expect("list").len() > 4);
    Journal::start(small(), Clock::System)
        .expect("start")
        .stop("test");
    let aborted: Vec<_> = lines(dir.path())
        .into_iter()
        .filter(|(e, _)| e == "exchange.aborted")
        .collect();
    assert_eq!(aborted.len(), 1);
    assert_eq!(
        aborted[0].1["metadata"]["correlation_uid"],
        exchange.as_str()
    );
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn a_crash_between_two_segments_is_survived() {
    let dir = tempfile::tempdir().expect("dir");
    let small = || small_segments(dir.path());
    let journal = Journal::start(small(), Clock::System).expect("start");
    let support = Support::new();
    (0..12).for_each(|_| support.exchange(&journal));
    drop(journal);
    let segments = segment::list(dir.path()).expect("list");
    let last = segment::path(dir.path(), *segments.last().expect("segments"));
    for is_gone in [true, false] {
        if is_gone {
            fs::remove_file(&last).expect("remove");
        } else {
            fs::write(&last, "").expect("empty");
        }
        Journal::start(small(), Clock::System)
            .expect("start")
            .stop("test");
        let report = verified(dir.path());
        assert!(report.is_intact(), "{report}");
    }
}

#[test]
fn a_journal_broken_before_its_tail_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let mut bad = killed(dir.path());
    let path = segment::path(dir.path(), 1);
    bad[200] ^= 1;
    fs::write(&path, &bad).expect("write");
    let error = Journal::start(settings(dir.path()), Clock::System).expect_err("broken");
    assert!(
        matches!(error, StartError::Broken { line: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("audit verify"));
    assert_eq!(fs::read(&path).expect("read"), bad);
}

#[test]
fn a_second_writer_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().expect("dir");
    let first = start(dir.path());
    let error = Journal::start(settings(dir.path()), Clock::System).expect_err("locked");
    assert!(matches!(error, StartError::Locked { .. }));
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    Support::new().exchange(&first);
    first.stop("test");
    start(dir.path()).stop("test");
    assert_eq!(events(dir.path()).len(), 6);
}

#[test]
fn a_verifier_beside_a_writer_sees_a_whole_journal() {
    let dir = tempfile::tempdir().expect("dir");
    let small = small_segments(dir.path());
    let journal = Journal::start(small, Clock::System).expect("start");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let support = Support::new();
            (0..300).for_each(|_| support.exchange(&journal));
        });
        while !writing.is_finished() {
            let report = verified(dir.path());
            assert!(report.is_intact(), "{report}");
        }
    });
    assert_eq!(verified(dir.path()).open_exchanges, 0);
}
