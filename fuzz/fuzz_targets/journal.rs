//! A journal with bytes changed anywhere: verification fails, and a start on it neither panics nor heals what is broken.
//! Input: changes of three bytes each (place, place, what to XOR), a last odd byte cuts the end off.
#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::audit::verify::{Options, verify};
use locum::audit::{Journal, Settings};
use locum::model::Clock;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Name and bytes of each segment of a good journal.
static GOOD: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..4 {
        start(dir.path())
            .expect("a good journal starts")
            .stop("fuzz");
    }
    segments(dir.path())
        .into_iter()
        .map(|path| {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read(path).expect("a segment"))
        })
        .collect()
});

fn start(dir: &Path) -> Result<Journal, locum::audit::StartError> {
    Journal::start(
        Settings {
            dir: dir.into(),
            ..Settings::default()
        },
        Clock::System,
    )
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    all.sort();
    all
}

fn is_intact(dir: &Path) -> bool {
    verify(dir, &Options::default()).is_ok_and(|report| report.is_intact())
}

fuzz_target!(|input: &[u8]| {
    let total: usize = GOOD.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut changed: Vec<(String, Vec<u8>)> = GOOD.clone();
    let chunks = input.chunks_exact(3);
    let cut = chunks
        .remainder()
        .first()
        .map_or(0, |cut| usize::from(*cut));
    for change in chunks {
        let mut at = usize::from(u16::from_be_bytes([change[0], change[1]])) % total;
        for (_, bytes) in &mut changed {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= change[2];
                break;
            }
            at -= bytes.len();
        }
    }
    let is_changed = changed != *GOOD;
    if let Some((_, last)) = changed.last_mut() {
        last.truncate(last.len().saturating_sub(cut).max(1));
    }
    // A last line without its newline is what a crash leaves: a note, and cut aloud by the next start.
    let is_ended = changed
        .last()
        .is_some_and(|(_, last)| last.ends_with(b"\n"));
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in &changed {
        std::fs::write(dir.path().join(name), bytes).expect("a segment");
    }
    let before = is_intact(dir.path());
    assert!(
        !(is_changed && cut == 0 && is_ended && before),
        "a changed byte went unnoticed"
    );
    assert!(
        is_changed || cut > 0 || before,
        "a good journal is called broken"
    );
    if let Ok(journal) = start(dir.path()) {
        journal.stop("fuzz");
        drop(journal);
        let after = is_intact(dir.path());
        assert!(before || !after, "a start healed what was broken");
        assert!(!before || after, "a start broke what was good");
    }
});
