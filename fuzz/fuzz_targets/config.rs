//! Any text as a configuration: read or refused, never a panic, and every problem can be said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::config::Config;
use std::sync::LazyLock;

static DIR: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a directory"));

fuzz_target!(|text: &str| {
    let path = DIR.path().join("locum.toml");
    std::fs::write(&path, text).expect("a file");
    if let Err(problems) = Config::load_without_files(&path, []) {
        assert!(!problems.to_string().is_empty());
    }
});
