//! After a failed sync: the kernel may hold pages as clean that never reached the disk, and the next sync would say that
//! all is well. Writing the same bytes again makes them dirty; only then a sync says something.

use super::error::LogError;
use crate::audit::chain::{self, Line};
use crate::audit::medium::NO_LINKS;
use crate::audit::segment;
use crate::audit::sink::{Position, Reader};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Writes the records `first` to `last` again where they stand. Each must be whole, and follow the one before.
///
/// # Errors
/// Where one cannot be read back or written: it may be lost, and nothing may be signed over it.
pub(super) fn write(journal: &Path, first: u64, last: u64) -> Result<(), LogError> {
    again(journal, first, last).map_err(LogError::io(
        journal,
        "write records again, after a failed sync, in",
    ))
}

fn again(journal: &Path, first: u64, last: u64) -> io::Result<()> {
    let lost =
        || io::Error::other("records that were written before a failed sync cannot be read back");
    let mut reader = Reader::new(journal, Position::at(first));
    let mut before: Option<chain::Hex> = None;
    let mut open: Option<(u64, File)> = None;
    for seq in first..=last {
        let record = reader.next()?.ok_or_else(lost)?;
        let line = Line::parse(&record.line).ok_or_else(lost)?;
        if line.seq != seq || before.is_some_and(|hash| hash != *line.prev) {
            return Err(lost());
        }
        before = Some(line.head().hash);
        let position = reader.position();
        let file = match &open {
            Some((segment, file)) if *segment == position.segment => file,
            _ => {
                &open
                    .insert((position.segment, writable(journal, position.segment)?))
                    .1
            }
        };
        let mut bytes = record.line.clone();
        bytes.push(b'\n');
        let start = position.offset.checked_sub(bytes.len() as u64);
        file.write_all_at(&bytes, start.ok_or_else(lost)?)?;
    }
    Ok(())
}

/// An existing segment, which is no link to somewhere else.
fn writable(journal: &Path, first: u64) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(NO_LINKS)
        .open(segment::path(journal, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Journal;
    use crate::audit::tests::fixture::{Support, small_segments, verified};
    use crate::model::Clock;

    #[test]
    fn the_same_bytes_are_written_to_the_same_places() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::start(small_segments(dir.path()), Clock::System).expect("start");
        let support = Support::new();
        for _ in 0..40 {
            support.exchange(&journal);
        }
        journal.stop("test");
        let before = all(dir.path());
        assert!(before.len() > 2, "several segments");
        let records = verified(dir.path()).records;
        for first in [1, 7, records] {
            write(dir.path(), first, records).expect("written again");
        }
        assert_eq!(all(dir.path()), before);
        assert!(
            write(dir.path(), 1, records + 1).is_err(),
            "one more than there is"
        );
        // What was lost reads as zeros.
        let (name, mut bytes) = before.last().cloned().expect("a segment");
        let end = bytes.len() - 100;
        bytes[end..].fill(0);
        std::fs::write(dir.path().join(name), bytes).expect("write");
        assert!(write(dir.path(), 1, records).is_err());
    }

    fn all(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let segments = segment::list(dir).expect("list");
        let read = |first| {
            let bytes = std::fs::read(segment::path(dir, first)).expect("read");
            (segment::name(first), bytes)
        };
        segments.into_iter().map(read).collect()
    }
}
