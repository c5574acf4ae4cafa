//! Everything bad that can be done to a journal of 200 records, and to its log: each bit flipped, each record deleted,
//! swapped, repeated, each point torn or cut off. All of it is seen, and named, here and by `docs/verify.py`.
//!
//! `make evidence` does all of it; otherwise a sample, with the same code.

use super::fixture::{ORIGIN, files, keys, restore};
use crate::audit::chain::{self, Head};
use crate::audit::tree::LogKey;
use crate::audit::tree::{layout, leaf, tree::Tree};
use crate::audit::verify::{self, Options};
use crate::audit::{Report, segment};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECORDS: u64 = 200;

/// Short records, so that every bit can be tried: two segments, every third record a tenant's, a checkpoint half-way.
fn make(dir: &Path, key: &LogKey) {
    let mut whole =
        Tree::open(&layout::whole(dir), ORIGIN, vec![key.clone()], false).expect("tree");
    let theirs = key.of_tenant("a");
    let mut tenant = Tree::open(
        &layout::tenant(dir, "a"),
        theirs.name(),
        vec![theirs.clone()],
        true,
    )
    .expect("tree");
    let mut head = Head::START;
    for (first, last) in [(1, 100), (101, RECORDS)] {
        let mut bytes = Vec::new();
        for seq in first..=last {
            let mut line = match seq {
                100 => format!(
                    "{{\"metadata\":{{\"event_code\":\"segment.sealed\"}},\"locum\":{{\"first\":1,\"records\":100,\"bytes\":{}}}",
                    bytes.len()
                ),
                _ if seq % 3 == 0 => {
                    "{\"metadata\":{\"event_code\":\"t\"},\"locum\":{\"tenant_id\":\"a\"}".to_owned()
                }
                _ => "{\"metadata\":{\"event_code\":\"t\"}".to_owned(),
            }
            .into_bytes();
            let context = chain::hash_body(&line);
            head = chain::seal(&mut line, context, &head);
            let entry = leaf::entry(&head.hash).expect("hash");
            if leaf::tenant_of(line.strip_suffix(b"\n").expect("newline")).is_some() {
                tenant.append(seq, entry).expect("append");
            }
            whole.append(seq, entry).expect("append");
            bytes.extend(line);
        }
        fs::write(segment::path(dir, first), bytes).expect("write");
        for tree in [&mut tenant, &mut whole] {
            let signed = tree.sign().expect("sign");
            tree.publish(&signed).expect("publish");
        }
    }
}

/// One thing that is done to the journal: files changed (or removed), and what must be named.
struct Case {
    kind: &'static str,
    changes: Vec<(PathBuf, Option<Vec<u8>>)>,
    record: Option<u64>,
}

type Files = Vec<(PathBuf, Vec<u8>)>;

fn flipped(bytes: &[u8], byte: usize, bit: usize) -> Option<Vec<u8>> {
    let mut bad = bytes.to_vec();
    *bad.get_mut(byte)? ^= 1 << bit;
    Some(bad)
}

/// Does `run` for each case; of the many of one kind every `step`-th from `seed` on.
fn each(good: &Files, step: usize, seed: usize, mut run: impl FnMut(Case)) {
    let mut n = seed;
    let mut take = || {
        n += 1;
        n.is_multiple_of(step)
    };
    let mut number = 0;
    let segments: Vec<_> = good
        .iter()
        .filter(|(name, _)| name.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    for (at, (name, bytes)) in segments.iter().enumerate() {
        let later = segments
            .iter()
            .skip(at + 1)
            .map(|(name, _)| (name.clone(), None));
        let later: Vec<_> = later.collect();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        let mut begin = 0;
        for (i, line) in lines.iter().enumerate() {
            number += 1;
            let mut case = |kind, bad: Vec<u8>, more: &[(PathBuf, Option<Vec<u8>>)], record| {
                let changes = [&[(name.clone(), Some(bad))], more].concat();
                run(Case {
                    kind,
                    changes,
                    record: Some(record),
                });
            };
            for byte in begin..begin + line.len() {
                for bit in 0..8 {
                    if take() {
                        case(
                            "flip",
                            flipped(bytes, byte, bit).expect("a byte"),
                            &[],
                            number,
                        );
                    }
                }
                if take() {
                    case("truncate", bytes[..byte].to_vec(), &later, number);
                }
                if byte > begin && take() {
                    case(
                        "tear",
                        [&bytes[..byte], &bytes[begin + line.len()..]].concat(),
                        &[],
                        number,
                    );
                }
            }
            begin += line.len();
            let with = |parts: &[&[&[u8]]]| parts.concat().concat();
            case("delete", with(&[&lines[..i], &lines[i + 1..]]), &[], number);
            if let Some(next) = lines.get(i + 1) {
                case(
                    "swap",
                    with(&[&lines[..i], &[next, line], &lines[i + 2..]]),
                    &[],
                    number,
                );
            }
            case("duplicate", with(&[&lines[..=i], &lines[i..]]), &[], number);
        }
    }
    each_of_log(good, take, run);
}

/// The same for tiles and checkpoints.
fn each_of_log(good: &Files, mut take: impl FnMut() -> bool, mut run: impl FnMut(Case)) {
    for (name, bytes) in good.iter().filter(|(name, _)| name.starts_with("tlog")) {
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                if take() {
                    let changes = vec![(name.clone(), flipped(bytes, byte, bit))];
                    run(Case {
                        kind: "flip-log",
                        changes,
                        record: None,
                    });
                }
            }
        }
        let changes = vec![(name.clone(), None)];
        run(Case {
            kind: "remove-log",
            changes,
            record: None,
        });
    }
}

fn write(dir: &Path, name: &Path, bytes: Option<&[u8]>) {
    let path = dir.join(name);
    match bytes {
        Some(bytes) => fs::write(path, bytes).expect("write"),
        None => fs::remove_file(path).expect("remove"),
    }
}

/// Whether the report says it, and says where.
fn names(report: &Report, case: &Case) -> bool {
    match case.record {
        // A repeated record is named as the one that it repeats.
        Some(record) => report.breaks.first().and_then(|found| found.sequence) == Some(record),
        None => report
            .breaks
            .iter()
            .any(|found| found.segment.starts_with("tlog")),
    }
}

fn by_rust(dir: &Path, good: &Files, key: &LogKey, step: usize, seed: usize) {
    let options = Options {
        keys: keys(&[key]),
        ..Options::default()
    };
    let report = verify::verify(dir, &options).expect("readable");
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
    let mut tried: BTreeMap<&str, u64> = BTreeMap::new();
    each(good, step, seed, |case| {
        for (name, bytes) in &case.changes {
            write(dir, name, bytes.as_deref());
        }
        let report = verify::verify(dir, &options).expect("readable");
        let changed: Vec<_> = case.changes.iter().map(|(name, _)| name).collect();
        assert!(
            !report.is_intact() && names(&report, &case),
            "{} {:?} {changed:?}: {report}",
            case.kind,
            case.record
        );
        *tried.entry(case.kind).or_default() += 1;
        for (name, _) in &case.changes {
            let (_, bytes) = good
                .iter()
                .find(|(other, _)| other == name)
                .expect("a file");
            write(dir, name, Some(bytes));
        }
    });
    println!(
        "locum audit verify: {0} of {0} named {tried:?}",
        tried.values().sum::<u64>()
    );
}

#[test]
fn whatever_is_done_to_a_journal_is_seen_and_named_by_both_verifiers() {
    let is_complete = std::env::var_os("LOCUM_EVIDENCE").is_some();
    let (step, seed) = if is_complete {
        (1, 0)
    } else {
        (2503, usize::try_from(std::process::id()).expect("small"))
    };
    let key = super::fixture::key();
    let dir = tempfile::tempdir().expect("dir");
    make(dir.path(), &key);
    let good = files(dir.path());
    println!("seed {seed}");
    std::thread::scope(|scope| {
        // Each half on its own copy.
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let (good, key) = (&good, &key);
                scope.spawn(move || {
                    let copy = tempfile::tempdir().expect("dir");
                    restore(copy.path(), good);
                    by_rust(copy.path(), good, key, step * 2, seed + half);
                })
            })
            .collect();
        for half in halves {
            half.join().expect("every case is named");
        }
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence/tamper.py");
    let python = Command::new("python3")
        .arg(script)
        .arg(dir.path())
        .args([key.verifier_key(), step.to_string(), seed.to_string()])
        .output();
    let Ok(python) = python else {
        println!("skipped: there is no python3");
        return;
    };
    println!("{}", String::from_utf8_lossy(&python.stdout));
    assert!(
        python.status.success(),
        "{}",
        String::from_utf8_lossy(&python.stderr)
    );
}
