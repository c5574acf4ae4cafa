//! A process of its own that is killed while it records, and a file system that is really full.

use super::fixture::{Support, durable, events, lines, settings, start, verified};
use crate::audit::{Journal, Settings};
use crate::model::Clock;
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DIR: &str = "LOCUM_TEST_JOURNAL";
const DISK: &str = "LOCUM_TEST_DISK";

/// Not a test: the body of the process that is killed. It prints an exchange's id once its opening is on record.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let settings = if std::env::var_os(DISK).is_some() {
        durable(&dir)
    } else {
        settings(&dir)
    };
    let small = Settings {
        segment_bytes: 64 << 10,
        ..settings
    };
    let journal = Journal::start(small, Clock::System).expect("start");
    let support = Support::new();
    let mut out = std::io::stdout().lock();
    for n in 0.. {
        let receipt = support.open(&journal).expect("recorded");
        writeln!(out, "opened {}", receipt.exchange()).expect("stdout");
        if n % 3 == 0 {
            std::mem::forget(receipt);
        }
    }
}

/// Runs the process above until it has printed `count` ids, and kills it; the ids that it printed.
fn killed_after(dir: &Path, count: usize, disk: bool) -> HashSet<String> {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["audit::tests::kill::the_process_that_is_killed"])
        .args(["--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if disk {
        command.env(DISK, "1");
    }
    let mut child = command.spawn().expect("spawn");
    let out = BufReader::new(child.stdout.take().expect("stdout"));
    let lines = out.lines().map_while(Result::ok);
    // The last line may be half a one.
    let mut ids = lines
        .filter_map(|line| line.split_once("opened ").map(|(_, id)| id.to_owned()))
        .filter(|id| id.len() == 27);
    let mut told: HashSet<_> = ids.by_ref().take(count).collect();
    child.kill().expect("kill");
    told.extend(ids);
    child.wait().expect("wait");
    told
}

fn survives(disk: bool) {
    let dir = tempfile::tempdir().expect("dir");
    let mut told = HashSet::new();
    for count in [1, 20, 77, 150, 200, 333] {
        told.extend(killed_after(dir.path(), count, disk));
    }
    start(dir.path()).stop("test");
    let report = verified(dir.path());
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
    assert_eq!(report.open_exchanges, 0);
    let all = lines(dir.path()).into_iter();
    let opened: HashSet<_> = all
        .filter(|(event, _)| event == "exchange.opened")
        .map(|(_, r)| {
            r["metadata"]["correlation_uid"]
                .as_str()
                .expect("id")
                .to_owned()
        })
        .collect();
    assert!(told.len() >= 781);
    assert!(
        told.is_subset(&opened),
        "what was acknowledged is on record"
    );
}

#[test]
fn kill_9_loses_no_acknowledged_record() {
    survives(false);
}

#[test]
fn kill_9_loses_no_acknowledged_record_on_disk() {
    survives(true);
}

/// A file system of 128 KiB. Only root may mount one.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("dir");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_file_system_that_is_really_full_is_survived() {
    let Some(tiny) = Tiny::mount() else {
        println!("skipped: mounting needs root; the faults by injection cover the same");
        return;
    };
    let dir = tiny.0.path().join("journal");
    let journal = start(&dir);
    let support = Support::new();
    let ballast = tiny.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 64 << 10]).expect("ballast");
    let mut held = Vec::new();
    let refused = loop {
        match support.open(&journal) {
            Ok(receipt) => held.push(receipt),
            Err(refused) => break refused,
        }
    };
    assert!(refused.to_string().contains("No space left"), "{refused}");
    let opened = held.len();
    assert!(opened > 10);
    drop(held);
    assert!(support.open(&journal).is_err());
    let report = verified(&dir);
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");

    std::fs::remove_file(&ballast).expect("room");
    support.exchange(&journal);
    journal.stop("test");
    let report = verified(&dir);
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.open_exchanges, 0);
    let names = events(&dir);
    let count = |event: &str| names.iter().filter(|name| *name == event).count();
    assert_eq!(
        (count("exchange.opened"), count("exchange.closed")),
        (opened + 1, opened + 1)
    );
    assert_eq!(count("journal.restored"), 1);
}
