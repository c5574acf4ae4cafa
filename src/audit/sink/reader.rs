//! Reads a journal's records in order, from any sequence number, across segments, also while it grows.

use super::Record;
use crate::audit::chain::{GENESIS, Hex, Line};
use crate::audit::lines::{Lines, Next};
use crate::audit::segment;
use std::io;
use std::path::{Path, PathBuf};

/// Where a reader stands: before the record `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::audit) struct Position {
    /// The sequence number of the record to read next.
    pub(in crate::audit) next: u64,
    /// The first sequence number of the segment it is expected in.
    pub(in crate::audit) segment: u64,
    /// Its byte offset there, or a lower one at which a record begins.
    pub(in crate::audit) offset: u64,
}

impl Position {
    pub(in crate::audit) const START: Self = Self::at(1);

    /// Before the record `next`, wherever it is.
    pub(in crate::audit) const fn at(next: u64) -> Self {
        Self {
            next,
            segment: 0,
            offset: 0,
        }
    }
}

/// A reader of one journal.
#[derive(Debug)]
pub(in crate::audit) struct Reader {
    dir: PathBuf,
    position: Position,
    lines: Option<Lines>,
    hash: Hex,
}

impl Reader {
    pub(in crate::audit) fn new(dir: &Path, position: Position) -> Self {
        Self {
            dir: dir.into(),
            position,
            lines: None,
            hash: GENESIS,
        }
    }

    pub(in crate::audit) fn position(&self) -> Position {
        self.position
    }

    /// The hash of the record that was given last.
    pub(in crate::audit) fn hash(&self) -> &Hex {
        &self.hash
    }

    /// The next whole record, if it is there yet.
    ///
    /// # Errors
    /// As [`Reader::advance`].
    pub(in crate::audit) fn next(&mut self) -> io::Result<Option<Record>> {
        let seq = self.advance()?;
        Ok(seq.map(|seq| Record {
            seq,
            line: self.line().to_vec(),
        }))
    }

    /// The line of the record that was given last, without its newline, until the next one is asked for.
    pub(in crate::audit) fn line(&self) -> &[u8] {
        self.lines.as_ref().map_or(&[], Lines::line)
    }

    /// Goes on to the next whole record, if it is there yet; tells its sequence number.
    ///
    /// # Errors
    /// Where a file cannot be read, or a record is changed or missing: a reader never goes past such a place.
    pub(in crate::audit) fn advance(&mut self) -> io::Result<Option<u64>> {
        if self.lines.is_none() && !self.find()? {
            return Ok(None);
        }
        loop {
            if let Some(seq) = self.read()? {
                return Ok(Some(seq));
            }
            // The segment is at its end for now: go on where the next one begins, if it is there.
            let next = segment::path(&self.dir, self.position.next);
            if self.position.segment == self.position.next || !next.try_exists()? {
                return Ok(None);
            }
            // The footer may have been written between the read above and the look for the next segment.
            if let Some(seq) = self.read()? {
                return Ok(Some(seq));
            }
            self.lines = Some(Lines::open(&next, 0)?);
            self.position.segment = self.position.next;
            self.position.offset = 0;
        }
    }

    /// Opens the segment that holds the next record.
    fn find(&mut self) -> io::Result<bool> {
        let segments = segment::list(&self.dir)?;
        let Some(first) = segments.into_iter().rfind(|s| *s <= self.position.next) else {
            return Ok(false);
        };
        if first != self.position.segment {
            self.position.segment = first;
            self.position.offset = 0;
        }
        let path = segment::path(&self.dir, first);
        self.lines = Some(Lines::open(&path, self.position.offset)?);
        Ok(true)
    }

    fn read(&mut self) -> io::Result<Option<u64>> {
        let Some(lines) = &mut self.lines else {
            return Ok(None);
        };
        loop {
            let line = match lines.next()? {
                Next::Line(line) => line,
                Next::Partial(_) | Next::End => return Ok(None),
                Next::TooLong => return Err(broken(self.position)),
            };
            let parsed = Line::parse(line).filter(Line::is_intact);
            let parsed = parsed.ok_or_else(|| broken(self.position))?;
            let (seq, hash) = (parsed.seq, *parsed.stated);
            if seq > self.position.next {
                return Err(broken(self.position));
            }
            self.position.offset = lines.offset();
            if seq == self.position.next {
                self.position.next += 1;
                self.hash = hash;
                return Ok(Some(seq));
            }
        }
    }
}

fn broken(at: Position) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "the journal is broken at record {} in {}: run `locum audit verify`",
            at.next,
            segment::name(at.segment)
        ),
    )
}
