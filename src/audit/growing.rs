//! The segment that grows: whole lines only, also when the disk fails half-way.

use super::chain::{self, Head};
use super::medium::Medium;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the file is still there.
const LOOK: Duration = Duration::from_millis(10);

/// Room that is taken ahead of the records: at least so much at once. Bytes.
const LEAST: u64 = 1 << 20;
/// At most. Bytes.
pub(super) const MOST: u64 = 64 << 20;
/// Less than this is not worth giving back. Bytes.
const SPARE: u64 = 64 << 10;

/// The segment that grows.
#[allow(clippy::struct_excessive_bools)] // faults that can stand in any combination
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) first: u64,
    /// Bytes of whole records.
    pub(super) len: u64,
    /// Bytes that a sync has covered.
    pub(super) synced: u64,
    pub(super) records: u64,
    /// A failed write may have left bytes beyond `len`.
    pub(super) torn: bool,
    /// A failed sync may have lost bytes before `len`, though reads still show them.
    pub(super) poisoned: bool,
    /// It is as old as it may become.
    pub(super) old: bool,
    /// When it got its first record here.
    pub(super) since: Instant,
    /// It has its footer.
    pub(super) sealed: bool,
    /// Up to where room was taken. A write that has to look for room waits for whoever is putting earlier records on
    /// disk, for tens of milliseconds: ext4 allocates as late as that, with the file locked.
    pub(super) reserved: u64,
    /// How long it becomes at most, but for its footer.
    limit: u64,
    looked: Instant,
    /// Somebody removed the file: the chain cannot go on.
    removed: bool,
}

impl Segment {
    /// A segment of at most `limit` bytes, with `len` bytes in `records` records, none of them known to be synced.
    pub(super) fn new(
        medium: Arc<dyn Medium>,
        limit: u64,
        first: u64,
        len: u64,
        records: u64,
    ) -> Self {
        Self {
            medium,
            first,
            len,
            synced: 0,
            records,
            torn: false,
            poisoned: false,
            old: false,
            since: Instant::now(),
            sealed: false,
            reserved: len,
            limit,
            looked: Instant::now(),
            removed: false,
        }
    }

    fn look(&mut self) -> io::Result<()> {
        if !self.removed && self.looked.elapsed() > LOOK {
            self.looked = Instant::now();
            self.removed = !self.medium.has_name()?;
        }
        if self.removed {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "somebody removed the segment that is written; put the journal back or begin another, and restart",
            ));
        }
        Ok(())
    }

    /// Takes room for `bytes` more than there are.
    pub(super) fn reserve(&mut self, bytes: u64) {
        let from = self.reserved.max(self.len);
        let to = self.len + bytes.clamp(LEAST, MOST);
        // A footer may go beyond the limit a little.
        let to = to.min(self.limit + SPARE / 2);
        let had = self.medium.reserve(from, to);
        if had.is_ok() && to > from {
            self.reserved = to;
            return;
        }
        // It is not asked for again: the records find their room as they come. What was had in part is given back.
        if had.is_err() {
            let _ = self.medium.set_len(self.len);
        }
        self.reserved = u64::MAX;
    }

    /// Gives back the room that was taken and not used. What stays is wasted and nothing else.
    pub(super) fn release(&mut self) {
        let is_much = (self.len + SPARE..u64::MAX).contains(&self.reserved);
        if is_much && !self.torn {
            let _ = self.medium.set_len(self.len);
        }
        self.reserved = u64::MAX;
    }

    /// Appends whole lines, or nothing.
    pub(super) fn take(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.len + lines.len() as u64 > self.reserved {
            // As much again as there is: few calls for a large segment, little room for a small one.
            self.reserve(self.len + lines.len() as u64);
        }
        self.write_all(lines)?;
        self.len += lines.len() as u64;
        Ok(())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        self.look()?;
        let mut done = 0;
        while let Some(rest) = line.get(done..).filter(|rest| !rest.is_empty()) {
            match self.medium.write_at(rest, self.len + done as u64) {
                Ok(0) => {
                    self.cut();
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes a partial line away again; if that fails too, the next try begins with it.
    fn cut(&mut self) {
        self.torn = self.medium.set_len(self.len).is_err();
    }

    /// After a failed sync the kernel may hold pages as clean that never reached the disk, and a second sync would lie.
    /// Writing the same bytes again makes them dirty; only then a sync says something.
    pub(super) fn rewrite_unsynced(&mut self, last: chain::Hex) -> io::Result<()> {
        let unsynced = usize::try_from(self.len - self.synced).map_err(io::Error::other)?;
        let mut bytes = vec![0; unsynced];
        self.medium.read_exact_at(&mut bytes, self.synced)?;
        let mut lines = bytes
            .strip_suffix(b"\n")
            .unwrap_or_default()
            .split(|b| *b == b'\n')
            .map(chain::Line::parse);
        let mut head: Option<Head> = None;
        let whole = lines.all(|line| {
            line.is_some_and(|line| {
                let follows = head.is_none_or(|h| h.hash == *line.prev);
                head = Some(line.head());
                follows && line.is_intact()
            })
        });
        if unsynced > 0 && !(whole && head.is_some_and(|h| h.hash == last)) {
            return Err(io::Error::other(
                "records written before a failed sync cannot be read back",
            ));
        }
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match self.medium.write_at(rest, self.synced + done as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => done += n,
            }
        }
        self.medium.sync()?;
        self.synced = self.len;
        self.poisoned = false;
        Ok(())
    }
}
