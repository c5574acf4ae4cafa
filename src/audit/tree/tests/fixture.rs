//! A journal with a log, and keys.

use crate::audit::tests::fixture::{Support, settings};
use crate::audit::tree::{LogKey, LogSettings, VerifierKeys};
use crate::audit::verify::{self, Options};
use crate::audit::{Journal, Report, Settings, segment};
use crate::model::Clock;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(in crate::audit) const ORIGIN: &str = "portal.example/log";

pub(in crate::audit) fn key() -> LogKey {
    LogKey::generate(ORIGIN).expect("key")
}

pub(in crate::audit) fn keys(keys: &[&LogKey]) -> VerifierKeys {
    let texts: Vec<String> = keys.iter().map(|key| key.verifier_key()).collect();
    VerifierKeys::parse(&texts).expect("keys")
}

/// A journal that signs at a stop alone.
pub(in crate::audit) fn logged(dir: &Path, key: &LogKey) -> Settings {
    let log = LogSettings {
        interval: Duration::from_secs(3600),
        ..LogSettings::new(vec![key.clone()])
    };
    Settings {
        log: Some(log),
        ..settings(dir)
    }
}

pub(in crate::audit) fn start(settings: Settings) -> Journal {
    Journal::start(settings, Clock::System).expect("start")
}

/// Runs a journal for so many exchanges and stops it in order.
pub(in crate::audit) fn run(settings: Settings, exchanges: usize) {
    let journal = start(settings);
    let support = Support::new();
    (0..exchanges).for_each(|_| support.exchange(&journal));
    journal.stop("test");
}

pub(in crate::audit) fn verified(dir: &Path, key: &LogKey) -> Report {
    let options = Options {
        keys: keys(&[key]),
        ..Options::default()
    };
    verify::verify(dir, &options).expect("readable")
}

/// The files of a journal, but not its lock, as a path below it and bytes.
pub(in crate::audit) fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("dir") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().is_some_and(|name| name != "lock") {
                let name = path.strip_prefix(dir).expect("below").to_owned();
                found.push((name, fs::read(&path).expect("read")));
            }
        }
    }
    found.sort();
    found
}

/// Writes files as [`files`] gave them.
pub(in crate::audit) fn restore(dir: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("dirs");
        fs::write(path, bytes).expect("write");
    }
}

/// The records of a journal of one segment, with their newlines.
pub(in crate::audit) fn records(dir: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(segment::path(dir, 1)).expect("segment");
    let lines = bytes.split_inclusive(|b| *b == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}
