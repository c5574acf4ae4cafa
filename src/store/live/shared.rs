//! What the requests' threads and the store's thread share.

use super::over::{Staleness, Tombstone, tombstone};
use super::session::LiveSession;
use super::settings::Settings;
use super::timers::Timers;
use crate::model::{Clock, Ended, SessionId};
use crate::store::{Mark, StoreError, Stored};
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// An ending on its way to the store.
pub(super) struct PendingEnd {
    pub(super) session: SessionId,
    pub(super) ended: Ended,
    pub(super) reply: Option<oneshot::Sender<Result<Option<Ended>, StoreError>>>,
}

/// The sessions that ended last, bounded, oldest forgotten first.
#[derive(Default)]
struct Graves {
    by_id: HashMap<SessionId, Arc<Tombstone>>,
    order: VecDeque<SessionId>,
}

impl Graves {
    fn add(&mut self, stone: Tombstone, max: usize) {
        let id = stone.session;
        if max == 0 {
            return;
        }
        if self.by_id.insert(id, Arc::new(stone)).is_some() {
            return;
        }
        self.order.push_back(id);
        while self.by_id.len() > max {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.by_id.remove(&oldest);
        }
    }

    /// Takes in one that is older than all others here, while there is room.
    fn add_older(&mut self, stone: Tombstone, max: usize) -> ControlFlow<()> {
        if self.by_id.len() >= max {
            return ControlFlow::Break(());
        }
        let id = stone.session;
        if let Entry::Vacant(place) = self.by_id.entry(id) {
            place.insert(Arc::new(stone));
            self.order.push_front(id);
        }
        ControlFlow::Continue(())
    }
}

/// What all threads know of the reading of stored sessions after the start; the store's thread does it (`loading`).
pub(super) struct Reading {
    /// Cleared once, after the last session was taken in.
    under_way: AtomicBool,
    failing: AtomicBool,
    /// How many sessions the store had open when it was counted.
    counted: AtomicUsize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            under_way: AtomicBool::new(true),
            failing: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
        }
    }
}

impl Reading {
    /// Whether a session that is not in memory may be in the store for all that. `Acquire`: who reads that it is over sees all
    /// that was taken in.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire)
    }

    /// Whether it cannot go on: the store holds what cannot be read.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(super) fn counted(&self, open: usize) {
        self.counted.store(open, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(super) fn done(&self) {
        self.counted(0);
        self.under_way.store(false, Ordering::Release);
    }
}

pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    sessions: DashMap<SessionId, Arc<LiveSession>>,
    graves: Mutex<Graves>,
    /// From where sessions were started, until the event of their start has it.
    starters: DashMap<SessionId, IpAddr>,
    /// Sessions that ended, until those who must tidy up after them have taken them.
    remains: DashMap<SessionId, Arc<LiveSession>>,
    ends: Mutex<Vec<PendingEnd>>,
    marks: Mutex<Vec<(SessionId, Mark)>>,
    /// When grants expire.
    pub(super) expiry: Mutex<Timers>,
    /// When sessions were used too long ago.
    pub(super) idle: Mutex<Timers>,
    /// How far the reading of what was stored before the start is.
    pub(super) reading: Reading,
    born: Instant,
    /// When the store was last reached: milliseconds since `born`.
    synced: AtomicU64,
    /// How far the wall clock is behind where it should be, where that is too much: milliseconds.
    clock_behind: AtomicI64,
}

impl Shared {
    pub(super) fn new(clock: Clock, settings: Settings) -> Self {
        Self {
            clock,
            settings,
            sessions: DashMap::new(),
            graves: Mutex::default(),
            starters: DashMap::new(),
            remains: DashMap::new(),
            ends: Mutex::default(),
            marks: Mutex::default(),
            expiry: Mutex::default(),
            idle: Mutex::default(),
            reading: Reading::default(),
            born: Instant::now(),
            synced: AtomicU64::new(0),
            clock_behind: AtomicI64::new(0),
        }
    }

    /// Milliseconds since this registry was made, by the clock that nobody sets.
    pub(super) fn uptime(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note_sync(&self) {
        self.synced.store(self.uptime(), Ordering::Relaxed);
    }

    pub(super) fn note_clock(&self, behind: Duration) {
        let millis = i64::try_from(behind.as_millis()).unwrap_or(i64::MAX);
        self.clock_behind.store(millis, Ordering::Relaxed);
    }

    pub(super) fn staleness(&self) -> Option<Staleness> {
        let behind = self.clock_behind.load(Ordering::Relaxed);
        if behind > 0 {
            let behind = Duration::from_millis(behind.unsigned_abs());
            return Some(Staleness::Clock { behind });
        }
        let since = self
            .uptime()
            .saturating_sub(self.synced.load(Ordering::Relaxed));
        let since = Duration::from_millis(since);
        (since > self.settings.lease).then_some(Staleness::Store { since })
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Arc<LiveSession>> {
        self.sessions.get(&id).map(|entry| Arc::clone(&entry))
    }

    /// Takes a session in, unless it was ended here in the meantime.
    pub(super) fn put(&self, session: Arc<LiveSession>) {
        let id = session.id;
        self.sessions.insert(id, session);
        // `bury` sets the stone before it removes: whichever comes second sees the other.
        if let Some(stone) = self.grave(id) {
            self.remove(id, &stone.ended);
        }
    }

    /// Whoever no longer finds the session finds its remains: two threads end sessions.
    fn remove(&self, id: SessionId, ended: &Ended) {
        if let Some(session) = self.get(id) {
            session.finish(ended.clone());
        }
        self.sessions.remove_if(&id, |_, session| {
            if session.was_used() {
                self.remains.insert(id, Arc::clone(session));
            }
            true
        });
    }

    pub(super) fn has_remains(&self, id: SessionId) -> bool {
        self.remains.contains_key(&id)
    }

    pub(super) fn take_remains(&self, id: SessionId) -> Option<Arc<LiveSession>> {
        self.remains.remove(&id).map(|(_, session)| session)
    }

    /// Notes from where a session was started. Only the store's thread does, before it announces the start: so each
    /// note is taken away again.
    pub(super) fn note_starter(&self, id: SessionId, client: Option<IpAddr>) {
        if let Some(client) = client {
            self.starters.insert(id, client);
        }
    }

    pub(super) fn starter(&self, id: SessionId) -> Option<IpAddr> {
        self.starters.get(&id).map(|client| *client)
    }

    pub(super) fn forget_starter(&self, id: SessionId) {
        self.starters.remove(&id);
    }

    /// Open sessions in memory: while not all are read, fewer than there are.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Sessions that the store had open at the start and that are not in memory yet.
    pub(super) fn unread(&self) -> usize {
        let counted = self.reading.counted.load(Ordering::Relaxed);
        counted.saturating_sub(self.len())
    }

    /// Runs `each` over all open sessions in memory, a shard at a time. Of those that are not read yet none was used here.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Arc<LiveSession>)) {
        for entry in &self.sessions {
            each(entry.value());
        }
    }

    /// Takes a session out of life: cancelled, remembered, and what it held is let go.
    pub(super) fn bury(&self, session: &LiveSession, ended: Ended) {
        session.finish(ended.clone());
        let first = session.ending().cloned().unwrap_or(ended);
        let stone = tombstone(session, first.clone());
        self.graves.lock().add(stone, self.settings.tombstones);
        self.remove(session.id, &first);
    }

    /// Ends here what the store says is over, and remembers it, so that nobody takes it in who read of it before.
    pub(super) fn cut(&self, stored: &Stored) {
        let Some(ended) = &stored.session.ended else {
            return;
        };
        if let Some(session) = self.get(stored.session.id) {
            self.bury(&session, ended.clone());
        }
        self.remember(stored, ended.clone());
    }

    /// Remembers what the store says of an ended session: its first cause, whatever was said here.
    pub(super) fn remember(&self, stored: &Stored, ended: Ended) {
        let max = self.settings.tombstones;
        self.graves.lock().add(stone(stored, ended), max);
    }

    /// The same of one that ended before all that is remembered; breaks off where there is no room for it.
    pub(super) fn remember_older(&self, stored: &Stored) -> ControlFlow<()> {
        let Some(ended) = stored.session.ended.clone() else {
            return ControlFlow::Continue(());
        };
        let max = self.settings.tombstones;
        self.graves.lock().add_older(stone(stored, ended), max)
    }

    /// What is left of a session that was over before it was in memory: what it was used for before the start is summed up
    /// as if it had been.
    pub(super) fn leave_remains(&self, session: LiveSession) {
        if session.was_used() {
            self.remains.insert(session.id, Arc::new(session));
        }
    }

    /// Ends a session here, and queues it for the store.
    pub(super) fn end(&self, session: &LiveSession, ended: Ended) {
        self.bury(session, ended.clone());
        self.queue_end(PendingEnd {
            session: session.id,
            ended,
            reply: None,
        });
    }

    pub(super) fn grave(&self, id: SessionId) -> Option<Arc<Tombstone>> {
        let graves = self.graves.lock();
        graves.by_id.get(&id).map(Arc::clone)
    }

    pub(super) fn graves(&self) -> usize {
        self.graves.lock().by_id.len()
    }

    /// Bounded by the sessions there are, and for others by `max_sessions`.
    pub(super) fn queue_end(&self, end: PendingEnd) {
        let mut ends = self.ends.lock();
        if ends.len() > self.settings.max_sessions.saturating_mul(2) {
            if let Some(reply) = end.reply {
                let _ = reply.send(Err(StoreError::Busy));
            }
            return;
        }
        ends.push(end);
    }

    /// Whether it ended here and the store could not be told yet: the row that is read is older than that.
    pub(super) fn is_ending(&self, id: SessionId) -> bool {
        self.ends.lock().iter().any(|end| end.session == id)
    }

    pub(super) fn take_ends(&self) -> Vec<PendingEnd> {
        std::mem::take(&mut self.ends.lock())
    }

    pub(super) fn give_back_ends(&self, mut failed: Vec<PendingEnd>) {
        let mut ends = self.ends.lock();
        failed.append(&mut ends);
        *ends = failed;
    }

    pub(super) fn unwritten_ends(&self) -> usize {
        self.ends.lock().len()
    }

    pub(super) fn queue_mark(&self, id: SessionId, mark: Mark) {
        self.marks.lock().push((id, mark));
    }

    pub(super) fn take_marks(&self) -> Vec<(SessionId, Mark)> {
        std::mem::take(&mut self.marks.lock())
    }

    pub(super) fn give_back_marks(&self, mut failed: Vec<(SessionId, Mark)>) {
        let mut marks = self.marks.lock();
        failed.append(&mut marks);
        *marks = failed;
    }
}

fn stone(stored: &Stored, ended: Ended) -> Tombstone {
    Tombstone {
        session: stored.session.id,
        grant: Arc::clone(&stored.grant),
        started_at: stored.session.started_at,
        ended,
    }
}
