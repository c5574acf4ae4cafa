//! What the requests' threads and the store's thread share.

use super::over::{Staleness, Tombstone, tombstone};
use super::session::LiveSession;
use super::settings::Settings;
use super::timers::Timers;
use crate::model::{Clock, Ended, SessionId};
use crate::store::{Mark, StoreError, Stored};
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Runs `each` over all open sessions, a shard at a time.
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
        let stone = Tombstone {
            session: stored.session.id,
            grant: Arc::clone(&stored.grant),
            started_at: stored.session.started_at,
            ended,
        };
        self.graves.lock().add(stone, self.settings.tombstones);
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
