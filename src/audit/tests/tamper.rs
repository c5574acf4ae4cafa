//! Whatever is done to a journal afterwards, the verifier sees it and names the record.

use super::fixture::{Support, settings, start, verified};
use crate::audit::{Fault, Report, Settings, segment};
use crate::model::Clock;
use std::fs;
use std::path::Path;

/// A journal of 20 records in one file, as bytes.
fn journal() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    (0..9).for_each(|_| support.exchange(&journal));
    journal.stop("test");
    fs::read(segment::path(dir.path(), 1)).expect("segment")
}

fn verify(bytes: &[u8]) -> Report {
    let dir = tempfile::tempdir().expect("dir");
    fs::write(segment::path(dir.path(), 1), bytes).expect("write");
    verified(dir.path())
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// The first break's sequence number and fault.
fn first(report: &Report) -> (Option<u64>, Fault) {
    let found = report.breaks.first().expect("a break");
    (found.sequence, found.fault.clone())
}

#[test]
fn an_untouched_journal_passes() {
    let report = verify(&journal());
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.records, report.last_sequence), (20, 20));
}

#[test]
fn every_flipped_bit_is_detected_and_its_record_named() {
    let good = journal();
    let dir = tempfile::tempdir().expect("dir");
    let path = segment::path(dir.path(), 1);
    // A debug build takes every 97th byte and all bits of it; the newlines and a release build take all.
    let step = if cfg!(debug_assertions) { 97 } else { 1 };
    let mut number = 1;
    for at in 0..good.len() {
        let is_newline = good[at] == b'\n';
        if at % step == 0 || is_newline {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(&path, &bad).expect("write");
                let report = verified(dir.path());
                assert!(!report.is_intact(), "byte {at} bit {bit}");
                assert_eq!(
                    first(&report).0,
                    Some(number),
                    "byte {at} bit {bit}: {report}"
                );
            }
        }
        number += u64::from(is_newline);
    }
}

#[test]
fn each_deleted_record_is_named() {
    let all = lines(&journal());
    // The last one is beyond a chain without an anchor: the documentation says so.
    for at in 0..all.len() - 1 {
        let mut bad = all.clone();
        bad.remove(at);
        let number = at as u64 + 1;
        let report = verify(&bad.concat());
        let missing = Fault::Missing {
            from: number,
            to: number,
        };
        assert_eq!(first(&report), (Some(number), missing), "{report}");
    }
}

#[test]
fn each_swap_and_each_repetition_is_named() {
    let all = lines(&journal());
    for at in 0..all.len() - 1 {
        let number = at as u64 + 1;
        let mut bad = all.clone();
        bad.swap(at, at + 1);
        let report = verify(&bad.concat());
        assert!(
            report.breaks.iter().any(|b| b.sequence == Some(number)),
            "{report}"
        );
        assert!(
            report.breaks.iter().any(|b| b.fault == Fault::OutOfOrder),
            "{report}"
        );

        let mut bad = all.clone();
        bad.insert(at, all[at].clone());
        let report = verify(&bad.concat());
        assert_eq!(
            first(&report),
            (Some(number), Fault::OutOfOrder),
            "{report}"
        );
    }
}

#[test]
fn a_cut_in_the_middle_is_named_and_a_torn_end_is_noted() {
    let good = journal();
    let all = lines(&good);
    let last = good.len() - all[19].len();
    // A debug build takes every 29th cut and those around newlines.
    let step = if cfg!(debug_assertions) { 29 } else { 1 };
    let is_near = |end: usize| (end.saturating_sub(2)..=end).any(|at| good.get(at) == Some(&b'\n'));
    for end in (0..good.len()).filter(|end| end % step == 0 || is_near(*end)) {
        let report = verify(&good[..end]);
        assert!(
            report.is_intact(),
            "a cut end alone is what a crash leaves: {report}"
        );
        let is_whole = end == 0 || good[end - 1] == b'\n';
        assert_eq!(
            report.notes.is_empty(),
            is_whole && end > 0 || end == 0,
            "{end} {report}"
        );
        // The same cut with what came after it still there.
        if !is_whole && end < last {
            let next = good[end..]
                .iter()
                .position(|b| *b == b'\n')
                .expect("newline");
            for rest in [end + next, end + next + 1]
                .into_iter()
                .filter(|rest| *rest > end)
            {
                let report = verify(&[&good[..end], &good[rest..]].concat());
                assert!(!report.is_intact(), "{end}");
            }
        }
    }
}

#[test]
fn an_inserted_or_rewritten_record_is_named() {
    let all = lines(&journal());
    let mut bad = all.clone();
    bad.insert(5, b"{\"time\":1}\n".to_vec());
    assert_eq!(first(&verify(&bad.concat())), (Some(6), Fault::Malformed));

    // A record whose hash was computed anew: the next one does not follow.
    let mut bad = all.clone();
    let line = &all[5][..all[5].len() - 1];
    let parsed = crate::audit::chain::Line::parse(line).expect("line");
    let text = String::from_utf8(line.to_vec()).expect("UTF-8");
    let body = text[..text.find(",\"seq\":").expect("seq")]
        .replace("acme", "evil")
        .into_bytes();
    let head = crate::audit::chain::Head {
        next: 6,
        hash: *parsed.prev,
    };
    let context = crate::audit::chain::hash_body(&body);
    bad[5] = body;
    crate::audit::chain::seal(&mut bad[5], context, &head);
    assert_eq!(first(&verify(&bad.concat())), (Some(7), Fault::Unchained));
}

/// A journal of several small segments.
fn segmented(dir: &Path) -> Vec<u64> {
    let small = Settings {
        segment_bytes: 8192,
        ..settings(dir)
    };
    let journal = crate::audit::Journal::start(small, Clock::System).expect("start");
    let support = Support::new();
    (0..20).for_each(|_| support.exchange(&journal));
    journal.stop("test");
    segment::list(dir).expect("list")
}

#[test]
fn a_missing_segment_is_named_wherever_it_was() {
    let dir = tempfile::tempdir().expect("dir");
    let segments = segmented(dir.path());
    assert!(segments.len() > 3, "{segments:?}");
    assert!(verified(dir.path()).is_intact());
    for pair in segments.windows(2) {
        let (from, to) = (pair[0], pair[1] - 1);
        let path = segment::path(dir.path(), from);
        let kept = fs::read(&path).expect("read");
        fs::remove_file(&path).expect("remove");
        let report = verified(dir.path());
        assert_eq!(
            first(&report),
            (Some(from), Fault::Missing { from, to }),
            "{report}"
        );
        fs::write(&path, kept).expect("write");
    }
}

#[test]
fn a_segment_that_lost_its_end_or_got_more_is_named() {
    let dir = tempfile::tempdir().expect("dir");
    let segments = segmented(dir.path());
    let path = segment::path(dir.path(), segments[1]);
    let good = fs::read(&path).expect("read");
    let all = lines(&good);
    let footer = segments[2] - 1;

    fs::write(&path, all[..all.len() - 1].concat()).expect("write");
    assert_eq!(
        first(&verified(dir.path())),
        (Some(footer), Fault::NoFooter)
    );
    fs::write(&path, &good[..good.len() - 1]).expect("write");
    assert_eq!(first(&verified(dir.path())), (Some(footer), Fault::BadTail));
    fs::write(&path, [&good[..], &all[0]].concat()).expect("write");
    let report = verified(dir.path());
    assert_eq!(first(&report).1, Fault::AfterFooter, "{report}");

    fs::write(&path, &good).expect("write");
    let elsewhere = segment::path(dir.path(), segments[1] + 1);
    fs::rename(&path, elsewhere).expect("rename");
    assert_eq!(first(&verified(dir.path())).1, Fault::WrongName);
}

/// The verifier that the format document prints, run on `dir`; `None` where there is no Python.
fn documented(dir: &Path) -> Option<bool> {
    let text = include_str!("../../../docs/journal.md");
    let (_, code) = text.split_once("```python\n").expect("a listing");
    let (code, _) = code.split_once("```").expect("its end");
    let output = std::process::Command::new("python3")
        .args(["-c", code])
        .arg(dir)
        .output()
        .ok()?;
    Some(output.status.success())
}

#[test]
fn the_documented_verifier_agrees() {
    let dir = tempfile::tempdir().expect("dir");
    let segments = segmented(dir.path());
    let Some(passes) = documented(dir.path()) else {
        println!("skipped: there is no python3");
        return;
    };
    assert!(passes);
    let path = segment::path(dir.path(), segments[1]);
    let good = fs::read(&path).expect("read");
    for at in (0..good.len()).step_by(good.len() / 12) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).expect("write");
        assert_eq!(documented(dir.path()), Some(false), "byte {at}");
    }
    fs::remove_file(&path).expect("remove");
    assert_eq!(documented(dir.path()), Some(false));
}
