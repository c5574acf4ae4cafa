//! Where a record stands in the journal, and how it is read back from there and checked.

use crate::audit::chain::{Hex, Line};
use crate::audit::lines::{Lines, Next};
use crate::audit::segment;
use std::io;
use std::path::{Path, PathBuf};

/// What the index knows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) seq: u64,
    /// The first sequence number of its segment.
    pub(super) segment: u64,
    /// Where its line begins.
    pub(super) offset: u64,
    /// The beginning of its hash.
    pub(super) mark: i64,
}

/// The beginning of a hash, as the index keeps it.
pub(super) fn mark(hash: &Hex) -> i64 {
    let digits = hash.get(..16).and_then(|it| std::str::from_utf8(it).ok());
    let number = digits.and_then(|it| u64::from_str_radix(it, 16).ok());
    number.unwrap_or_default().cast_signed()
}

/// Reads single records of one journal; consecutive ones of a segment share its file.
pub(super) struct Shelf {
    journal: PathBuf,
    open: Option<(u64, Lines)>,
}

/// What stands where the index points.
pub(super) enum Stands {
    /// The record's line, without its newline.
    Record(Vec<u8>),
    /// Not what was indexed; in words.
    Other(&'static str),
}

impl Shelf {
    pub(super) fn new(journal: &Path) -> Self {
        Self {
            journal: journal.into(),
            open: None,
        }
    }

    /// Reads the line and checks it against its own hash and against what was indexed.
    ///
    /// # Errors
    /// Where the segment is there but cannot be read.
    pub(super) fn read(&mut self, pointer: &Pointer) -> io::Result<Stands> {
        let path = segment::path(&self.journal, pointer.segment);
        let mut lines = match self.open.take() {
            Some((segment, lines)) if segment == pointer.segment => lines,
            _ => match Lines::open(&path, pointer.offset) {
                Ok(lines) => lines,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Stands::Other("its segment is not there"));
                }
                Err(error) => return Err(error),
            },
        };
        lines.go(pointer.offset);
        let stands = match lines.next()? {
            Next::Line(line) => judge(line, pointer),
            Next::Partial(_) | Next::End => Stands::Other("the segment ends before it"),
            Next::TooLong => Stands::Other("no record stands there"),
        };
        self.open = Some((pointer.segment, lines));
        Ok(stands)
    }
}

fn judge(line: &[u8], pointer: &Pointer) -> Stands {
    match Line::parse(line) {
        None => Stands::Other("no record stands there"),
        Some(parsed) if !parsed.is_intact() => {
            Stands::Other("its line was changed: it does not fit its own hash")
        }
        Some(parsed) if parsed.seq != pointer.seq => Stands::Other("another record stands there"),
        Some(parsed) if mark(parsed.stated) != pointer.mark => {
            Stands::Other("it is not the record that was indexed")
        }
        Some(_) => Stands::Record(line.to_vec()),
    }
}
