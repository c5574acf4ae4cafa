//! Reading a segment line by line, with bounded memory, also while another process writes it.

use super::chain::MAX_LINE;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// A segment being read.
#[derive(Debug)]
pub(super) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
    /// Where the next line begins.
    offset: u64,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A whole line, without its newline.
    Line(&'a [u8]),
    /// Bytes without a newline up to the end of the file: torn, or being written. Read again later.
    Partial(&'a [u8]),
    /// Longer than any line that is written.
    TooLong,
    End,
}

impl Lines {
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file: BufReader::with_capacity(64 << 10, file),
            line: Vec::new(),
            offset,
        })
    }

    /// The byte offset of the next line.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes to where a line begins.
    pub(super) fn go(&mut self, offset: u64) -> io::Result<()> {
        // What is near may be in the buffer already.
        let step = offset.cast_signed().wrapping_sub(self.offset.cast_signed());
        self.file.seek_relative(step)?;
        self.offset = offset;
        Ok(())
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let limit = MAX_LINE as u64;
        let n = (&mut self.file)
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        if n == 0 {
            return Ok(Next::End);
        }
        if let Some((b'\n', line)) = self.line.split_last() {
            self.offset += n as u64;
            return Ok(Next::Line(line));
        }
        // A line being written may be replaced: what was read of it is never kept.
        self.file.seek(SeekFrom::Start(self.offset))?;
        if n as u64 == limit {
            return Ok(Next::TooLong);
        }
        Ok(Next::Partial(&self.line))
    }
}
