//! The notary: a thread that adds each record to the trees, and signs by time, by count and at a stop.
//!
//! It is told the hash of each record by whoever wrote it. What it was not told, from before the start or beyond the
//! queue's bound, it reads from the segments, and proves.
//!
//! A record is signed only once it is on disk, whatever `durability` says: after a loss of power the journal must still
//! give the root that was signed.

use super::anew;
use super::counters::LogCounters;
use super::error::LogError;
use super::key::LogKey;
use super::layout;
use super::settings::{LogSettings, OnLag};
use super::tree::Tree;
use super::witness::Witnesses;
use crate::audit::core::Core;
use crate::audit::counters::{add, set};
use crate::audit::error::Refused;
use crate::audit::event::Event;
use crate::audit::leaf;
use crate::audit::segment;
use crate::audit::settings::Durability;
use crate::audit::sink::{Position, Reader};
use crate::audit::told::Leaf;
use crate::audit::yielding::{Turns, yield_to_requests};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often new records are looked for.
const POLL: Duration = Duration::from_millis(100);
/// Below the requests' threads, but not by so much that checkpoints would starve.
const AFTER_REQUESTS: i32 = 5;
/// Records taken before it is looked whether to stop or to sign.
const BATCH: usize = 1000;
/// Records between two looks at the clock.
const PACE: usize = 16;
/// Tenants' trees held in memory between checkpoints; others are read again when they get a record.
const OPEN_TREES: usize = 256;

/// Tells the notary to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    deadline: Mutex<Option<Instant>>,
    told: Condvar,
}

impl Stop {
    pub(super) fn tell(&self, deadline: Instant) {
        *self.deadline.lock() = Some(deadline);
        self.told.notify_all();
    }

    fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock()
    }

    fn sleep(&self, span: Duration) {
        let mut deadline = self.deadline.lock();
        if deadline.is_none() {
            self.told.wait_for(&mut deadline, span);
        }
    }
}

/// The notary of one journal.
pub(super) struct Notary {
    core: Arc<Core>,
    journal: PathBuf,
    settings: LogSettings,
    counters: Arc<LogCounters>,
    stop: Arc<Stop>,
    witnesses: Option<Witnesses>,
    /// The record to be added next.
    next: u64,
    /// What was told and not yet added.
    told: VecDeque<Leaf>,
    /// Reads what was not told.
    reader: Option<Reader>,
    whole: Tree,
    tenants: HashMap<String, Tree>,
    /// The first segment that may have records which are not known to be on disk.
    unsynced: u64,
    last_round: Option<Instant>,
    /// When the oldest record without a checkpoint was read.
    waiting_since: Option<Instant>,
    failed: bool,
    /// Something could not be written: what is in memory may be ahead of the tiles.
    spoiled: bool,
    /// A sync failed: what the next one says of the records up to this one cannot be believed.
    doubtful: Option<u64>,
    turns: Turns,
}

impl Notary {
    pub(super) fn new(
        core: Arc<Core>,
        journal: &Path,
        settings: LogSettings,
        counters: Arc<LogCounters>,
        stop: Arc<Stop>,
    ) -> Result<Self, LogError> {
        let origin = settings.keys.first().map(|key| key.name().to_owned());
        let origin = origin.ok_or_else(|| LogError::key("the log has no key"))?;
        if let Some(other) = settings.keys.iter().find(|key| key.name() != origin) {
            return Err(LogError::key(format!(
                "the log's keys have two names, {origin} and {}: all sign under the log's origin",
                other.name()
            )));
        }
        let whole = Tree::open(
            &layout::whole(journal),
            &origin,
            settings.keys.clone(),
            false,
        )?;
        let witnesses = Witnesses::new(&settings)?;
        let next = whole.last() + 1;
        set(
            &counters.size,
            whole.size() - whole.unpublished().min(whole.size()),
        );
        Ok(Self {
            next,
            told: VecDeque::new(),
            reader: None,
            core,
            journal: journal.into(),
            settings,
            counters,
            stop,
            witnesses,
            whole,
            tenants: HashMap::new(),
            unsynced: 0,
            last_round: None,
            waiting_since: None,
            failed: false,
            spoiled: false,
            doubtful: None,
            turns: Turns::default(),
        })
    }

    pub(super) fn run(mut self) {
        yield_to_requests(AFTER_REQUESTS);
        loop {
            let took = self.step();
            self.measure();
            match took {
                Ok(Step::More) if !self.is_out_of_time() => {}
                Ok(Step::Done) => return,
                Ok(_) if self.is_out_of_time() => return,
                Ok(_) => self.stop.sleep(POLL),
                Err(error) => {
                    self.trouble(&error);
                    self.spoiled = true;
                    if matches!(error, LogError::Forked { .. }) {
                        return self.stand_still();
                    }
                    if self.stop.deadline().is_some() {
                        return;
                    }
                    self.stop
                        .sleep(self.settings.interval.min(Duration::from_secs(5)));
                }
            }
        }
    }

    fn is_out_of_time(&self) -> bool {
        self.stop
            .deadline()
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Nothing is signed any more, but how far it lags is still told.
    fn stand_still(&mut self) {
        while self.stop.deadline().is_none() {
            self.measure();
            self.stop.sleep(Duration::from_secs(1));
        }
    }

    fn step(&mut self) -> Result<Step, LogError> {
        // Looked at first: what is kept once a stop is told is all there will be.
        let stopping = self.stop.deadline().is_some();
        if self.spoiled {
            self.begin_again()?;
        }
        let took = self.take()?;
        let caught_up = took < BATCH;
        if self.is_due() || (stopping && caught_up && self.whole.unpublished() > 0) {
            self.round()?;
        }
        Ok(match (caught_up, stopping) {
            (false, _) => Step::More,
            (true, true) => Step::Done,
            (true, false) => Step::Wait,
        })
    }

    /// After a failed write: from the trees that were signed last, as a start does.
    fn begin_again(&mut self) -> Result<(), LogError> {
        let keys = self.settings.keys.clone();
        let origin = keys.first().map(|key| key.name().to_owned());
        let dir = layout::whole(&self.journal);
        self.whole = Tree::open(&dir, &origin.unwrap_or_default(), keys, false)?;
        self.tenants.clear();
        self.next = self.whole.last() + 1;
        self.spoiled = false;
        Ok(())
    }

    /// Adds the next records that are kept to the trees. How many were read.
    fn take(&mut self) -> Result<usize, LogError> {
        let kept = self.core.counters.sequence.load(Ordering::Relaxed);
        for took in 0..BATCH {
            if took % PACE == PACE - 1 {
                self.turns
                    .pause(self.core.counters.sequence.load(Ordering::Relaxed));
            }
            if self.next > kept {
                return Ok(took);
            }
            let leaf = match self.told() {
                Some(leaf) => leaf,
                None => match self.read()? {
                    Some(leaf) => leaf,
                    None => return Ok(took),
                },
            };
            self.add(&leaf)?;
        }
        Ok(BATCH)
    }

    /// The next record, if it was told.
    fn told(&mut self) -> Option<Leaf> {
        if self.told.is_empty() {
            self.core.writer.lock().told.give(&mut self.told);
        }
        while self.told.front()?.seq < self.next {
            self.told.pop_front();
        }
        if self.told.front()?.seq > self.next {
            return None;
        }
        self.reader = None;
        self.told.pop_front()
    }

    /// The next record, if it stands in a segment as it was written.
    fn read(&mut self) -> Result<Option<Leaf>, LogError> {
        let io = LogError::io(&self.journal, "read the journal in");
        let from = self.next;
        let reader = match &mut self.reader {
            Some(reader) if reader.position().next == from => reader,
            // Also where what was read before was not added.
            other => other.insert(Reader::new(&self.journal, Position::at(from))),
        };
        let Some(seq) = reader.advance().map_err(io)? else {
            return Ok(None);
        };
        add(&self.counters.read, 1);
        Ok(Some(Leaf {
            seq,
            hash: *reader.hash(),
            tenant: leaf::tenant_of(reader.line()).map(|tenant| Arc::from(&*tenant)),
        }))
    }

    /// Adds a record to the trees.
    fn add(&mut self, leaf: &Leaf) -> Result<(), LogError> {
        let entry = leaf::entry(&leaf.hash);
        let entry =
            entry.ok_or_else(|| LogError::absent(format!("record {} has no hash", leaf.seq)))?;
        if let Some(tenant) = leaf.tenant.as_deref().filter(|_| self.settings.tenants) {
            if !self.tenants.contains_key(tenant) {
                let tree = self.tenant(tenant)?;
                let is_behind = tree.is_behind();
                self.tenants.insert(tenant.to_owned(), tree);
                if is_behind {
                    // It must grow again from its first record, so all records come again; the other trees pass over
                    // what they have.
                    self.next = 1;
                    return Ok(());
                }
            }
            if let Some(tree) = self.tenants.get_mut(tenant) {
                tree.append(leaf.seq, entry)?;
            }
        }
        self.whole.append(leaf.seq, entry)?;
        self.next = leaf.seq + 1;
        self.waiting_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn tenant(&self, tenant: &str) -> Result<Tree, LogError> {
        let keys = self.settings.keys.iter().map(|key| key.of_tenant(tenant));
        let keys: Vec<LogKey> = keys.collect();
        let origin = keys.first().map(|key| key.name().to_owned());
        let dir = layout::tenant(&self.journal, tenant);
        Tree::open(&dir, &origin.unwrap_or_default(), keys, true)
    }

    fn is_due(&self) -> bool {
        let waiting = self.whole.unpublished();
        let is_time = self
            .last_round
            .is_none_or(|last| last.elapsed() >= self.settings.interval);
        !self.whole.is_behind() && waiting > 0 && (is_time || waiting >= self.settings.count)
    }

    /// Signs what came since: the tenants' trees first, so that a restart at the whole one's size misses none of them.
    fn round(&mut self) -> Result<(), LogError> {
        self.last_round = Some(Instant::now());
        self.sync_journal()?;
        self.tenants_round()?;
        if self.tenants.len() > OPEN_TREES {
            self.tenants
                .retain(|_, tree| tree.unpublished() > 0 || tree.is_behind());
        }
        let mut signed = self.whole.sign()?;
        if let Some(witnesses) = &mut self.witnesses {
            witnesses.begin_round();
            let whole = &self.whole;
            let prove = |from, to| whole.consistency(from, to);
            signed = witnesses.cosign(&signed, &prove, &self.counters)?;
        }
        self.whole.publish(&signed)?;
        self.published(signed.size);
        Ok(())
    }

    /// The whole tree waits for all of these: who reads it on from its last checkpoint comes by what none covers yet.
    fn tenants_round(&mut self) -> Result<(), LogError> {
        let mut witnesses = self
            .witnesses
            .as_mut()
            .filter(|_| self.settings.witness_tenants);
        if let Some(witnesses) = &mut witnesses {
            witnesses.begin_round();
        }
        for tree in self.tenants.values_mut() {
            if tree.unpublished() == 0 || tree.is_behind() {
                continue;
            }
            let mut signed = tree.sign()?;
            if let Some(witnesses) = &mut witnesses {
                let prove = |from, to| tree.consistency(from, to);
                signed = witnesses.cosign(&signed, &prove, &self.counters)?;
            }
            tree.publish(&signed)?;
            add(&self.counters.tenant_checkpoints, 1);
        }
        Ok(())
    }

    fn published(&mut self, size: u64) {
        set(&self.counters.size, size);
        add(&self.counters.checkpoints, 1);
        let now = self.core.now().millis();
        self.counters.last_checkpoint.store(now, Ordering::Relaxed);
        self.waiting_since = None;
        if std::mem::take(&mut self.failed) {
            tracing::info!(size, "the journal's checkpoints are signed again");
        }
    }

    /// With durability `process` nobody else does.
    fn sync_journal(&mut self) -> Result<(), LogError> {
        if self.core.durability == Durability::Disk {
            return Ok(());
        }
        if let Some(last) = self.doubtful {
            anew::write(&self.journal, self.whole.signed() + 1, last)?;
        }
        let synced = self.sync_segments();
        // Under the lock: what is written is counted.
        let written = || {
            let _writer = self.core.writer.lock();
            self.core.counters.sequence.load(Ordering::Relaxed)
        };
        self.doubtful = synced.is_err().then(written);
        synced
    }

    fn sync_segments(&mut self) -> Result<(), LogError> {
        let io = || LogError::io(&self.journal, "sync the journal in");
        let segments = segment::list(&self.journal).map_err(io())?;
        for first in segments.iter().filter(|first| **first >= self.unsynced) {
            let path = segment::path(&self.journal, *first);
            File::open(path)
                .and_then(|file| file.sync_data())
                .map_err(io())?;
        }
        File::open(&self.journal)
            .and_then(|dir| dir.sync_all())
            .map_err(io())?;
        self.unsynced = segments.last().copied().unwrap_or(0);
        Ok(())
    }

    fn measure(&self) {
        let kept = self.core.counters.sequence.load(Ordering::Relaxed);
        let covered = self.counters.size.load(Ordering::Relaxed);
        set(&self.counters.lag, kept.saturating_sub(covered));
        let is_forked = self.counters.forked.load(Ordering::Relaxed);
        let is_old = |since: Instant| since.elapsed() > self.settings.max_lag;
        let is_late = is_forked || self.waiting_since.is_some_and(is_old);
        if self.counters.late.swap(is_late, Ordering::Relaxed) == is_late {
            return;
        }
        if is_late {
            self.alert("log.late", "no checkpoint covers the latest records");
        }
        if self.settings.on_lag == OnLag::Refuse {
            let why = is_late.then(|| Refused::unsigned(self.core.now()));
            self.core.log_gate.set(why);
        }
    }

    fn trouble(&mut self, error: &LogError) {
        add(&self.counters.failures, 1);
        if matches!(error, LogError::Forked { .. }) {
            self.counters.forked.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the journal's log is forked");
            self.alert("log.forked", &error.to_string());
        } else if !std::mem::replace(&mut self.failed, true) {
            tracing::warn!(%error, "the journal's checkpoint could not be signed; it is tried again");
        }
    }

    fn alert(&self, kind: &str, detail: &str) {
        self.core.note(&Event::Alert {
            kind,
            session: None,
            exchange: None,
            client: None,
            detail,
        });
    }
}

enum Step {
    More,
    Wait,
    Done,
}
