//! The one writer of a journal: appends, rotates, and survives a disk that refuses.
//!
//! After a failure nothing that was kept is touched. Each further record first tries to put things right: cut what a
//! failed write left, write again what a failed sync may have lost, write what had to wait, and say how long it took.

use super::chain::{self, Head, SEAL_BYTES};
use super::counters::{Counters, add, set};
use super::encode::Encoder;
use super::encode_own::Own;
use super::error::Refused;
use super::growing::Segment;
use super::medium::Files;
pub(super) use super::outage::Change;
use super::outage::{Later, Outage};
use super::pending::{MAX_PENDING, Pending};
use super::segment;
use super::settings::{Durability, Settings};
use super::spare::Spare;
use super::told::{Told, Whose};
use crate::model::{Clock, ExchangeId};
use aws_lc_rs::digest::Context;
use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many open exchanges one `segment.carried` record names.
const CARRIED: usize = 500;
/// Why nothing is written any more.
const STOPPED: &str = "the journal was stopped";
const SEALED: &str = "the segment is sealed, and the next one begins once it is on disk";

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    encoder: Arc<Encoder>,
    pub(super) counters: Arc<Counters>,
    clock: Clock,
    durability: Durability,
    pub(super) segment_bytes: u64,
    queue_limit: usize,
    pub(super) segment: Option<Segment>,
    pub(super) spare: Option<Spare>,
    /// Where the chain stands, with what is pending.
    pub(super) head: Head,
    pub(super) pending: Pending,
    /// What the notary is told.
    pub(super) told: Told,
    open: HashSet<ExchangeId>,
    pub(super) outage: Option<Outage>,
    queue: VecDeque<Later>,
    /// Openings that wait for the next sync.
    pub(super) waiters: Vec<oneshot::Sender<Result<(), Refused>>>,
    /// The committer is in `fdatasync`: no rotation now, so that its error is never lost on a sealed segment.
    pub(super) syncing: bool,
    pub(super) closed: bool,
}

/// Where recovery found the journal.
#[derive(Debug)]
pub(super) struct Resume {
    /// First sequence number, bytes and records of the unsealed segment, if there is one.
    pub(super) segment: Option<(u64, u64, u64)>,
    pub(super) head: Head,
}

impl Writer {
    pub(super) fn new(
        settings: &Settings,
        files: Arc<dyn Files>,
        encoder: Arc<Encoder>,
        counters: Arc<Counters>,
        clock: Clock,
        resume: &Resume,
    ) -> io::Result<Self> {
        let segment = match resume.segment {
            Some((first, len, records)) => Some(Segment::new(
                files.open(&segment::path(&settings.dir, first))?,
                settings.segment_bytes,
                first,
                len,
                records,
            )),
            None => None,
        };
        Ok(Self {
            files,
            dir: settings.dir.clone(),
            encoder,
            counters,
            clock,
            durability: settings.durability,
            segment_bytes: settings.segment_bytes,
            queue_limit: settings.close_queue,
            segment,
            spare: None,
            head: resume.head,
            pending: Pending::default(),
            told: Told::default(),
            open: HashSet::new(),
            outage: None,
            queue: VecDeque::new(),
            waiters: Vec::new(),
            syncing: false,
            closed: false,
        })
    }

    /// Writes a record now, or says why not. `context` is the hash begun over `body`.
    pub(super) fn record(
        &mut self,
        body: &mut Vec<u8>,
        context: Context,
        change: Change,
        whose: Whose<'_>,
    ) -> Result<(), Refused> {
        let written = self
            .restore()
            .and_then(|()| self.append(body, context, change, whose));
        written.map_err(|error| {
            add(&self.counters.refused, 1);
            self.fail(error, 1)
        })
    }

    /// Writes a record now or as soon as the disk takes it again; beyond the queue's bound it is counted as lost.
    pub(super) fn record_later(&mut self, body: &mut Vec<u8>, change: Change) {
        if self.outage.is_none() {
            match self.append(body, chain::hash_body(body), change, Whose::AsWritten) {
                Ok(()) => return,
                Err(error) => drop(self.fail(error, 0)),
            }
            self.enqueue(body, change);
        } else {
            self.enqueue(body, change);
            if let Err(error) = self.restore() {
                self.fail(error, 0);
            }
        }
    }

    /// [`Writer::record_later`] for what nobody waits for: chained now, written with the next record or by
    /// [`Writer::flush`]. True where the caller has to see to a flush.
    pub(super) fn record_soon(
        &mut self,
        body: &mut Vec<u8>,
        change: Change,
        whose: Whose<'_>,
    ) -> bool {
        let is_first = self.pending.is_empty();
        let context = chain::hash_body(body);
        let room = SEAL_BYTES + body.len();
        if self.closed
            || self.outage.is_some()
            || self.pending.bytes() + room > MAX_PENDING
            || self.make_room(room as u64).is_err()
        {
            self.record_later(body, change);
            return false;
        }
        let next = chain::seal(body, context, &self.head);
        let leaf = self.told.leaf(self.head.next, next.hash, body, whose);
        self.pending.push(body, leaf);
        self.head = next;
        self.apply(change);
        is_first
    }

    /// Writes what is pending. Where the disk refuses it stays pending, and an outage begins.
    pub(super) fn flush(&mut self) {
        if self.outage.is_some() || self.pending.is_empty() {
            return;
        }
        if let Err(error) = self.make_room(0).and_then(|()| self.write_pending()) {
            self.fail(error, 0);
            if let Some(outage) = &mut self.outage {
                outage.queued += self.pending.records();
            }
        }
    }

    pub(super) fn write_pending(&mut self) -> io::Result<()> {
        let Some(segment) = self.segment.as_mut().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        segment.take(self.pending.lines())?;
        self.took();
        Ok(())
    }

    /// What was pending is in the file.
    fn took(&mut self) {
        self.told.keep(self.pending.leaves());
        let (records, bytes) = self.pending.clear();
        if let Some(segment) = &mut self.segment {
            if segment.records == 0 {
                segment.since = Instant::now();
            }
            segment.records += records;
        }
        add(&self.counters.records, records);
        add(&self.counters.bytes, bytes);
        if self.durability == Durability::Process {
            set(&self.counters.sequence, self.head.next - 1);
        }
    }

    fn enqueue(&mut self, body: &[u8], change: Change) {
        let Some(outage) = &mut self.outage else {
            return;
        };
        if self.queue.len() < self.queue_limit && !self.closed {
            outage.queued += 1;
            self.queue.push_back(Later {
                body: body.into(),
                change,
            });
        } else {
            outage.lost += 1;
            add(&self.counters.lost, 1);
            // Its close is lost, but it is not open: the next record of the outage's end says how many.
            self.apply(change);
        }
        set(&self.counters.queued, self.queue.len() as u64);
    }

    /// Ends an outage, if there is one and the disk lets it.
    pub(super) fn restore(&mut self) -> io::Result<()> {
        if self.closed {
            return Err(io::Error::other(STOPPED));
        }
        if self.outage.is_none() {
            return Ok(());
        }
        while let Some(later) = self.queue.front() {
            let (mut body, change) = (later.body.to_vec(), later.change);
            let context = chain::hash_body(&body);
            self.append(&mut body, context, change, Whose::AsWritten)?;
            self.queue.pop_front();
            set(&self.counters.queued, self.queue.len() as u64);
        }
        let Some(outage) = &self.outage else {
            return Ok(());
        };
        let own = Own::Restored {
            since: outage.since,
            refused: outage.refused,
            queued: outage.queued,
            lost: outage.lost,
            cause: &outage.cause,
        };
        let mut body = Vec::with_capacity(1024);
        self.encoder.own(&mut body, &own, self.clock.now());
        self.append_plain(&mut body)?;
        if self.durability == Durability::Disk {
            self.sync_now()?;
        }
        self.outage = None;
        self.counters.refusing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a record could be written, after trying to end an outage.
    pub(super) fn check(&mut self) -> Result<(), Refused> {
        self.restore().map_err(|error| self.fail(error, 0))
    }

    /// Notes a failure; the outage begins with the first.
    pub(super) fn fail(&mut self, error: io::Error, refused: u64) -> Refused {
        add(&self.counters.failures, 1);
        self.forget_spare();
        self.counters.refusing.store(true, Ordering::Relaxed);
        let now = self.clock.now();
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            refused: 0,
            queued: 0,
            lost: 0,
            cause: error.to_string(),
        });
        outage.refused += refused;
        Refused::unwritable(outage.since, error)
    }

    fn append_plain(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        let context = chain::hash_body(body);
        self.append(body, context, Change::None, Whose::AsWritten)
    }

    /// Writes a record of the journal's own, or fails.
    pub(super) fn own(&mut self, own: &Own<'_>) -> io::Result<()> {
        let mut body = Vec::with_capacity(1024);
        self.encoder.own(&mut body, own, self.clock.now());
        self.append_plain(&mut body)
    }

    fn append(
        &mut self,
        body: &mut Vec<u8>,
        context: Context,
        change: Change,
        whose: Whose<'_>,
    ) -> io::Result<()> {
        if self.closed {
            return Err(io::Error::other(STOPPED));
        }
        self.make_room((body.len() + SEAL_BYTES) as u64)?;
        self.write(body, context, whose)?;
        self.apply(change);
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Opens(exchange) => drop(self.open.insert(exchange)),
            Change::Closes(exchange) => drop(self.open.remove(&exchange)),
        }
    }

    /// Chains `body` and writes it to the segment as it is. On failure `body` is as before, and the segment too.
    fn write(&mut self, body: &mut Vec<u8>, context: Context, whose: Whose<'_>) -> io::Result<()> {
        let Some(segment) = &mut self.segment else {
            return Err(io::Error::other("no segment is open"));
        };
        let start = body.len();
        let next = chain::seal(body, context, &self.head);
        // One write for both.
        let leaf = self.told.leaf(self.head.next, next.hash, body, whose);
        self.pending.push(body, leaf);
        if let Err(error) = segment.take(self.pending.lines()) {
            self.pending.pop(body.len(), self.head.next);
            body.truncate(start);
            return Err(error);
        }
        self.head = next;
        self.took();
        Ok(())
    }

    /// Makes the segment fit to take `bytes` more, or fails.
    pub(super) fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        if let Some(segment) = &mut self.segment {
            if segment.torn {
                segment.medium.set_len(segment.len)?;
                segment.torn = false;
            }
            if segment.poisoned {
                segment.rewrite_unsynced(self.pending.before().unwrap_or(self.head.hash))?;
                self.rotate()?;
            }
        }
        let bytes = bytes + self.pending.bytes() as u64;
        let is_full = |s: &Segment| s.sealed || s.old || s.len + bytes > self.segment_bytes;
        match &self.segment {
            None => self.begin_segment(0),
            // Nothing goes behind a footer.
            Some(s) if s.sealed && self.syncing => Err(io::Error::other(SEALED)),
            Some(s) if is_full(s) && s.records > 0 && !self.syncing => self.rotate(),
            Some(_) => Ok(()),
        }
    }

    /// Seals the segment and begins the next. Each step is skipped if an earlier try got past it.
    fn rotate(&mut self) -> io::Result<()> {
        if self.segment.as_ref().is_some_and(|s| !s.sealed) {
            self.write_footer()?;
            add(&self.counters.sealed, 1);
        }
        if self.durability == Durability::Disk {
            self.sync_now()?;
        }
        // The next one will take as much room as this one did, most likely.
        let ahead = self.segment.take().map_or(0, |segment| segment.len);
        self.begin_segment(ahead)
    }

    /// Seals a segment that got its first record so long ago; while a sync is under way the next record does it.
    pub(super) fn seal_old(&mut self, age: Duration) {
        if self.outage.is_some() || self.closed {
            return;
        }
        let due = |s: &&mut Segment| s.records > 0 && s.since.elapsed() >= age;
        let Some(segment) = self.segment.as_mut().filter(due) else {
            return;
        };
        segment.old = true;
        if let Err(error) = self.make_room(0) {
            self.fail(error, 0);
        }
    }

    /// Seals the segment as the last one of this process. Where it cannot be, the next start goes on in it.
    pub(super) fn seal_last(&mut self) {
        let is_open = |s: &Segment| !s.sealed && s.records > 0;
        if self.closed || self.restore().is_err() || !self.segment.as_ref().is_some_and(is_open) {
            return;
        }
        let sealed = self.make_room(0).and_then(|()| self.write_footer());
        match sealed {
            Ok(()) => add(&self.counters.sealed, 1),
            Err(error) => drop(self.fail(error, 0)),
        }
    }

    fn write_footer(&mut self) -> io::Result<()> {
        self.write_pending()?;
        let now = self.clock.now();
        let open: Vec<_> = self.open.iter().copied().collect();
        for some in open.chunks(CARRIED) {
            let mut body = Vec::with_capacity(32 * some.len() + 512);
            self.encoder.carried(&mut body, some, now);
            let context = chain::hash_body(&body);
            self.write(&mut body, context, Whose::AsWritten)?;
        }
        let Some(segment) = &self.segment else {
            return Ok(());
        };
        let own = Own::Sealed {
            first: segment.first,
            records: segment.records + 1,
            bytes: segment.len,
        };
        let mut body = Vec::with_capacity(512);
        self.encoder.own(&mut body, &own, now);
        let context = chain::hash_body(&body);
        self.write(&mut body, context, Whose::AsWritten)?;
        if let Some(segment) = &mut self.segment {
            segment.sealed = true;
            segment.release();
        }
        Ok(())
    }

    /// Begins a segment that will have `ahead` bytes soon.
    fn begin_segment(&mut self, ahead: u64) -> io::Result<()> {
        let first = self.head.next;
        let path = segment::path(&self.dir, first);
        let (medium, room) = match self.spare.take().and_then(|spare| spare.place(&path)) {
            Some(ready) => ready,
            None => (self.files.open(&path)?, 0),
        };
        // ext4 writes a file that was cut to nothing to disk when it is closed, here in the way of a request.
        if !medium.is_empty()? {
            medium.set_len(0)?;
        }
        if self.durability == Durability::Disk {
            self.files.sync_dir(&self.dir)?;
        }
        let mut segment = Segment::new(medium, self.segment_bytes, first, 0, 0);
        match room {
            0 => segment.reserve(ahead),
            room => segment.reserved = room,
        }
        self.segment = Some(segment);
        Ok(())
    }

    /// Syncs under the lock: for rotation, recovery and stop only.
    pub(super) fn sync_now(&mut self) -> io::Result<()> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        let synced = segment.medium.sync();
        segment.poisoned = synced.is_err();
        synced?;
        segment.synced = segment.len;
        set(&self.counters.sequence, self.last_written());
        Ok(())
    }

    /// The last record that is in the file: those that are pending are not.
    pub(super) fn last_written(&self) -> u64 {
        (self.head.next - 1).saturating_sub(self.pending.records())
    }

    /// Nothing is written after this.
    pub(super) fn close(&mut self) {
        self.flush();
        add(&self.counters.lost, self.pending.clear().0);
        if let Some(segment) = &mut self.segment {
            segment.release();
        }
        self.forget_spare();
        self.closed = true;
        self.waiters.clear();
    }
}
