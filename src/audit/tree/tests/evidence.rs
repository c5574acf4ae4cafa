//! Everything bad that can be done to a journal of 200 records, and to its log: each bit flipped, each record deleted,
//! swapped, repeated, each point torn or cut off. All of it is seen, and named, here and by `docs/verify.py`.
//!
//! `make evidence` does all of it; otherwise a sample, with the same code.

use super::fixture::{ORIGIN, files, keys, restore};
use crate::audit::chain::{self, Head};
use crate::audit::leaf;
use crate::audit::tree::LogKey;
use crate::audit::tree::{layout, tree::Tree};
use crate::audit::verify::{self, Options};
use crate::audit::{Report, segment};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

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

/// Which cases one thread does: of the many of one kind every `step`-th from `seed` on, and of these its share.
#[derive(Clone, Copy)]
struct Share {
    step: usize,
    seed: usize,
    part: usize,
    parts: usize,
}

/// Does `run` for each case of a share.
fn each(good: &Files, share: Share, mut run: impl FnMut(Case)) {
    let (mut n, mut few) = (share.seed, 0);
    let is_ours = |n: usize| n % share.parts == share.part;
    let mut take = || {
        n += 1;
        n.is_multiple_of(share.step) && is_ours(n / share.step)
    };
    let mut take_few = || {
        few += 1;
        is_ours(few)
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
            if take_few() {
                for (kind, bad) in of_whole_record(&lines, i) {
                    case(kind, bad, &[], number);
                }
            }
        }
    }
    each_of_log(good, take, take_few, run);
}

/// Line `i` deleted, there twice, in the place of the next.
fn of_whole_record(lines: &[&[u8]], i: usize) -> Vec<(&'static str, Vec<u8>)> {
    let with = |parts: &[&[&[u8]]]| parts.concat().concat();
    let mut made = vec![
        ("delete", with(&[&lines[..i], &lines[i + 1..]])),
        ("duplicate", with(&[&lines[..=i], &lines[i..]])),
    ];
    if let Some(next) = lines.get(i + 1) {
        let swapped = with(&[&lines[..i], &[next, lines[i]], &lines[i + 2..]]);
        made.push(("swap", swapped));
    }
    made
}

/// The same for tiles and checkpoints.
fn each_of_log(
    good: &Files,
    mut take: impl FnMut() -> bool,
    mut take_few: impl FnMut() -> bool,
    mut run: impl FnMut(Case),
) {
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
        if take_few() {
            let changes = vec![(name.clone(), None)];
            run(Case {
                kind: "remove-log",
                changes,
                record: None,
            });
        }
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

/// How many there were, how many of them were seen, and how many were named rightly.
#[derive(Clone, Copy, Default)]
struct Count {
    cases: u64,
    seen: u64,
    named: u64,
}

/// By kind, and what was wrong with the first.
#[derive(Default)]
struct Counts {
    kinds: BTreeMap<&'static str, Count>,
    wrong: Vec<String>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        for (kind, more) in other.kinds {
            let count = self.kinds.entry(kind).or_default();
            count.cases += more.cases;
            count.seen += more.seen;
            count.named += more.named;
        }
        self.wrong.extend(other.wrong);
    }

    fn print(&self) {
        let mut all = Count::default();
        for (kind, count) in &self.kinds {
            print("locum audit verify", kind, *count);
            all.cases += count.cases;
            all.seen += count.seen;
            all.named += count.named;
        }
        print("locum audit verify", "all", all);
    }
}

fn print(by: &str, kind: &str, Count { cases, seen, named }: Count) {
    println!("{by:<18}  {kind:<10} {cases:>7} cases {seen:>7} detected {named:>7} named");
}

fn by_rust(dir: &Path, good: &Files, key: &LogKey, share: Share) -> Counts {
    let options = Options {
        keys: keys(&[key]),
        ..Options::default()
    };
    let report = verify::verify(dir, &options).expect("readable");
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
    let mut counts = Counts::default();
    each(good, share, |case| {
        for (name, bytes) in &case.changes {
            write(dir, name, bytes.as_deref());
        }
        let report = verify::verify(dir, &options).expect("readable");
        let (seen, named) = (!report.is_intact(), names(&report, &case));
        let count = counts.kinds.entry(case.kind).or_default();
        count.cases += 1;
        count.seen += u64::from(seen);
        count.named += u64::from(seen && named);
        if !(seen && named) && counts.wrong.len() < 20 {
            let changed: Vec<_> = case.changes.iter().map(|(name, _)| name).collect();
            let wrong = format!("{} {:?} {changed:?}: {report}", case.kind, case.record);
            counts.wrong.push(wrong);
        }
        for (name, _) in &case.changes {
            let (_, bytes) = good
                .iter()
                .find(|(other, _)| other == name)
                .expect("a file");
            write(dir, name, Some(bytes));
        }
    });
    counts
}

/// A directory in memory, where there is one: hundreds of thousands of journals are written.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("dir")
}

/// All cases, by one thread a core, each on a copy of its own.
fn by_all_cores(good: &Files, key: &LogKey, step: usize, seed: usize) -> Counts {
    let parts = std::thread::available_parallelism().map_or(2, usize::from);
    let mut counts = Counts::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..parts)
            .map(|part| {
                let share = Share {
                    step,
                    seed,
                    part,
                    parts,
                };
                scope.spawn(move || {
                    let copy = directory();
                    restore(copy.path(), good);
                    by_rust(copy.path(), good, key, share)
                })
            })
            .collect();
        for thread in threads {
            counts.add(thread.join().expect("counts"));
        }
    });
    counts
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
    let dir = directory();
    make(dir.path(), &key);
    let good = files(dir.path());
    println!("one in {step} of the many, seed {seed}");
    let began = Instant::now();
    let counts = by_all_cores(&good, &key, step, seed);
    counts.print();
    println!("in {} s", began.elapsed().as_secs());
    assert!(counts.wrong.is_empty(), "{:#?}", counts.wrong);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence/tamper.py");
    let began = Instant::now();
    let python = Command::new("python3")
        .arg(script)
        .arg(dir.path())
        .args([key.verifier_key(), step.to_string(), seed.to_string()])
        .output();
    let Ok(python) = python else {
        println!("skipped: there is no python3");
        return;
    };
    print!("{}", String::from_utf8_lossy(&python.stdout));
    println!("in {} s", began.elapsed().as_secs());
    assert!(
        python.status.success(),
        "{}",
        String::from_utf8_lossy(&python.stderr)
    );
}
