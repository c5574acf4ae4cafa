//! Segment files: how they are named and found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".jsonl";
const DIGITS: usize = 16;

/// The file that holds the records from sequence number `first` on.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(name(first))
}

pub(super) fn name(first: u64) -> String {
    format!("{PREFIX}{first:0DIGITS$}{SUFFIX}")
}

/// The sequence number that a file's name says, if it is a segment's.
fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok().filter(|n| *n > 0)?;
    (digits.len() >= DIGITS && self::name(first) == name).then_some(first)
}

/// The first sequence numbers of the segments in `dir`, in order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Some(first) = entry?.file_name().to_str().and_then(first_of) {
            found.push(first);
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_number_and_back() {
        assert_eq!(name(17), "segment-0000000000000017.jsonl");
        for first in [1, 17, u64::MAX] {
            assert_eq!(first_of(&name(first)), Some(first));
        }
        for other in [
            "segment-1.jsonl",
            "segment-0000000000000000.jsonl",
            "lock",
            "segment-+000000000000017.jsonl",
        ] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
