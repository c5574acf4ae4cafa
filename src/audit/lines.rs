//! Reading a segment line by line, with bounded memory, also while another process writes it.

use super::chain::MAX_LINE;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Read at once, if there is so much. The buffer grows for a line that is longer.
const PIECE: usize = 64 << 10;

/// A segment being read.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    /// What is in memory, up to `end`: a piece of the file, which begins at `base` there.
    buffer: Vec<u8>,
    base: u64,
    end: usize,
    /// Where in the buffer the next line begins.
    next: usize,
    /// The line that was given last.
    line: Range<usize>,
    /// Zeros up to the end of the file, after what was given last of a tail.
    zeros: u64,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A whole line, without its newline.
    Line(&'a [u8]),
    /// Bytes without a newline up to the end of the file: torn, or being written. Read again later. After them come
    /// [`Lines::zeros`] more, where a file system left room in which nothing arrived.
    Partial(&'a [u8]),
    /// Longer than any line that is written.
    TooLong,
    End,
}

impl Lines {
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            buffer: Vec::new(),
            base: offset,
            end: 0,
            next: 0,
            line: 0..0,
            zeros: 0,
        })
    }

    /// The byte offset of the next line.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Goes to where a line begins.
    pub(super) fn go(&mut self, offset: u64) {
        // What is near may be in the buffer already.
        let near = offset.checked_sub(self.base).map(usize::try_from);
        match near {
            Some(Ok(at)) if at <= self.end => self.next = at,
            _ => {
                self.base = offset;
                (self.next, self.end) = (0, 0);
            }
        }
        self.line = 0..0;
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line = 0..0;
        let mut seen = 0;
        loop {
            let fresh = self.buffer.get(self.next + seen..self.end);
            if let Some(at) = memchr::memchr(b'\n', fresh.unwrap_or_default()) {
                let end = self.next + seen + at;
                self.line = self.next..end;
                self.next = end + 1;
                return Ok(Next::Line(self.line()));
            }
            seen = self.end - self.next;
            let more = if seen < MAX_LINE { self.fill() } else { Ok(0) };
            if let Ok(1..) = more {
                continue;
            }
            // A line being written may be replaced: what was read of it is never kept.
            let partial = self.next..std::mem::replace(&mut self.end, self.next);
            more?;
            self.zeros = 0;
            return Ok(match seen {
                0 => Next::End,
                MAX_LINE.. if !self.is_rest_zeros(&partial)? => Next::TooLong,
                _ => Next::Partial(self.buffer.get(partial).unwrap_or_default()),
            });
        }
    }

    /// How many zeros follow the tail that was given last, up to the end of the file.
    pub(super) fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Whether a tail ends with a zero and nothing else comes after it; notes how many.
    fn is_rest_zeros(&mut self, tail: &Range<usize>) -> io::Result<bool> {
        if self.buffer.get(tail.clone()).and_then(<[u8]>::last) != Some(&0) {
            return Ok(false);
        }
        let (mut piece, mut zeros) = (vec![0; PIECE], 0);
        loop {
            let at = self.base + tail.end as u64 + zeros;
            let read = self.file.read_at(&mut piece, at)?;
            if piece.iter().take(read).any(|byte| *byte != 0) {
                return Ok(false);
            }
            if read == 0 {
                self.zeros = zeros;
                return Ok(true);
            }
            zeros += read as u64;
        }
    }

    /// The line that was given last, until the next one is asked for.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.get(self.line.clone()).unwrap_or_default()
    }

    /// Reads on; how many bytes came. What was given before makes room.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.next..self.end, 0);
        self.base += self.next as u64;
        self.end -= self.next;
        self.next = 0;
        if self.end == self.buffer.len() {
            let larger = (2 * self.end).clamp(PIECE, MAX_LINE);
            self.buffer.resize(larger, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let at = self.base + self.end as u64;
        let read = loop {
            match self.file.read_at(room, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write as _;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lines");
        std::fs::write(&path, bytes).expect("written");
        (dir, path)
    }

    #[test]
    fn lines_of_any_length_come_whole_and_in_order() {
        let lengths = [
            0,
            1,
            1271,
            PIECE - 1,
            PIECE,
            3 * PIECE + 7,
            5,
            MAX_LINE - 1,
            20_000,
        ];
        let line = |n: usize, len| vec![b'a' + u8::try_from(n).expect("few"); len];
        let mut all = Vec::new();
        for (n, len) in lengths.iter().enumerate() {
            all.extend(line(n, *len));
            all.push(b'\n');
        }
        let (_dir, path) = file(&all);
        let mut lines = Lines::open(&path, 0).expect("open");
        let mut starts = Vec::new();
        for (n, len) in lengths.iter().enumerate() {
            starts.push(lines.offset());
            let expected = line(n, *len);
            assert_eq!(lines.next().expect("read"), Next::Line(&expected), "{n}");
            assert_eq!(lines.line(), expected);
        }
        assert_eq!(lines.next().expect("read"), Next::End);
        assert_eq!(lines.offset(), all.len() as u64);
        for n in [8, 2, 0, 7, 3, 6, 1, 4, 5] {
            lines.go(starts[n]);
            assert_eq!(
                lines.next().expect("read"),
                Next::Line(&line(n, lengths[n])),
                "{n}"
            );
        }
    }

    #[test]
    fn a_line_being_written_is_read_again_from_its_beginning() {
        let (_dir, path) = file(b"one\ntw");
        let mut lines = Lines::open(&path, 0).expect("open");
        assert_eq!(lines.next().expect("read"), Next::Line(b"one"));
        assert_eq!(lines.next().expect("read"), Next::Partial(b"tw"));
        let mut writer = OpenOptions::new().write(true).open(&path).expect("open");
        writer.write_all(b"one\nthree\nfo").expect("replaced");
        assert_eq!(lines.next().expect("read"), Next::Line(b"three"));
        assert_eq!(lines.next().expect("read"), Next::Partial(b"fo"));
        assert_eq!(lines.offset(), 10);
        writer.write_all(b"ur\n").expect("completed");
        assert_eq!(lines.next().expect("read"), Next::Line(b"four"));
        assert_eq!(lines.next().expect("read"), Next::End);
    }

    #[test]
    fn room_in_which_nothing_arrived_is_a_tail_however_long_it_is() {
        for (begun, zeros) in [
            (0, 5),
            (9, MAX_LINE),
            (0, 3 * MAX_LINE + 7),
            (MAX_LINE - 1, 9),
        ] {
            let bytes = [b"ok\n", &vec![b'x'; begun][..], &vec![0; zeros]].concat();
            let (_dir, path) = file(&bytes);
            let mut lines = Lines::open(&path, 0).expect("open");
            assert_eq!(lines.next().expect("read"), Next::Line(b"ok"));
            let Next::Partial(tail) = lines.next().expect("read") else {
                panic!("{begun} {zeros}: no tail");
            };
            assert!(tail.starts_with(&vec![b'x'; begun]), "{begun} {zeros}");
            let told = tail.len() as u64 + lines.zeros();
            assert_eq!(told, (begun + zeros) as u64);
            // One byte that arrived after all is no room.
            std::fs::write(&path, [&bytes[..], b"x"].concat()).expect("written");
            let is_long = begun + zeros >= MAX_LINE;
            assert_eq!(lines.next().expect("read") == Next::TooLong, is_long);
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_told_again_and_again() {
        let (_dir, path) = file(&[b"ok\n", &vec![b'x'; MAX_LINE + 5][..]].concat());
        let mut lines = Lines::open(&path, 0).expect("open");
        assert_eq!(lines.next().expect("read"), Next::Line(b"ok"));
        assert_eq!(lines.next().expect("read"), Next::TooLong);
        assert_eq!(lines.next().expect("read"), Next::TooLong);
        assert_eq!(lines.offset(), 3);
    }
}
