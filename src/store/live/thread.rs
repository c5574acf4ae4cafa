//! The thread that keeps memory and store in step: changes in, endings, uses and marks out. What must stop at once does not wait
//! for it: see [`super::lookout`].

use super::events::{self, SessionEvent};
use super::loading::{Batch, Loading};
use super::lookout::Lookout;
use super::over::{expired, idle_at};
use super::session::LiveSession;
use super::shared::Shared;
use crate::model::{Ended, SessionId, Timestamp};
use crate::store::{GrantStore, Mark, StoreError, Stored, Use, Version};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// A call for the store; what it returns is run once memory shows what the call did.
pub(super) type Call = Box<dyn FnOnce(&dyn GrantStore) -> Box<dyn FnOnce() + Send> + Send>;

pub(super) enum Message {
    Call(Call),
    /// Takes one session in before its turn; answers once memory shows it.
    Read(SessionId, oneshot::Sender<Result<(), StoreError>>),
    /// Something was queued: do not wait for the tick.
    Wake,
    Stop,
}

/// How many messages are taken before the timers are looked at again.
const MESSAGES_A_TICK: usize = 64;

/// How often journal marks and waiting events are written and tried again.
const EVENTS_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Keeper {
    store: Arc<dyn GrantStore>,
    shared: Arc<Shared>,
    events: mpsc::Sender<SessionEvent>,
    version: Option<Version>,
    revision: i64,
    /// `None` once all is read.
    loading: Option<Loading>,
    /// Events wait in the store because the channel was full, or were not asked for yet.
    backlog: bool,
    /// Events handed out whose record the store does not know of yet.
    in_flight: HashMap<SessionId, Mark>,
    failing: bool,
    last_touch: Instant,
    last_events: Instant,
    last_purge: Option<Instant>,
}

impl Keeper {
    /// Makes sure that the store can be read; the sessions in it are read later. The lookout goes on from the same revision.
    pub(super) fn begin(
        store: Arc<dyn GrantStore>,
        shared: Arc<Shared>,
        events: mpsc::Sender<SessionEvent>,
    ) -> Result<(Self, Lookout), StoreError> {
        let now = Instant::now();
        // In this order: what another process writes in between is read twice rather than never.
        let version = store.version()?;
        let revision = store.revision()?;
        let mut lookout = Lookout::new(Arc::clone(&store), Arc::clone(&shared), version, revision);
        let keeper = Self {
            store,
            shared,
            events,
            version: Some(version),
            revision,
            loading: Some(Loading::new(revision)),
            backlog: true,
            in_flight: HashMap::new(),
            failing: false,
            last_touch: now,
            last_events: now,
            last_purge: None,
        };
        keeper.shared.note_sync();
        lookout.look();
        Ok((keeper, lookout))
    }

    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        let tick = self.shared.settings.tick();
        loop {
            let first = inbox.recv_timeout(tick);
            let more = std::iter::repeat_with(|| inbox.try_recv()).map_while(Result::ok);
            let mut replies: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
            let mut stop = false;
            for message in std::iter::once(first)
                .chain(more.map(Ok))
                .take(MESSAGES_A_TICK)
            {
                match message {
                    Ok(Message::Call(call)) => replies.extend(self.call(call)),
                    Ok(Message::Read(id, reply)) => {
                        let read = self.read(id);
                        replies.push(Box::new(move || {
                            let _ = reply.send(read);
                        }));
                    }
                    Ok(Message::Wake) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => {
                        stop = true;
                        break;
                    }
                }
            }
            self.tick();
            for reply in replies {
                reply();
            }
            if stop {
                return self.flush();
            }
        }
    }

    /// A call that panics is a mistake of its author; it must not take the registry with it.
    fn call(&self, call: Call) -> Option<Box<dyn FnOnce() + Send>> {
        let store = self.store.as_ref();
        let run = std::panic::AssertUnwindSafe(|| call(store));
        std::panic::catch_unwind(run).ok()
    }

    fn tick(&mut self) {
        self.write_ends();
        self.sync();
        self.load();
        self.write_uses(false);
        self.pump_events(false);
        self.purge();
    }

    fn flush(&mut self) {
        self.write_uses(true);
        self.pump_events(true);
    }

    /// Reads what changed. Whatever fails leaves the lease running.
    fn sync(&mut self) {
        let read = self.store.version().and_then(|version| {
            if self.version == Some(version) {
                return Ok(None);
            }
            let changes = self.store.changes_since(self.revision)?;
            Ok(Some((version, changes)))
        });
        match read {
            Ok(None) => self.reached(),
            Ok(Some((version, changes))) => {
                // What must stop stops first; the telling of it can wait.
                for stored in &changes.rows {
                    self.shared.cut(stored);
                }
                for stored in changes.rows {
                    self.apply(&stored);
                }
                self.revision = changes.revision;
                self.version = Some(version);
                self.reached();
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Reads the next of what was stored before the start. What ended here is written by then, so it is not among it.
    fn load(&mut self) {
        let Some(loading) = self.loading.as_mut().filter(|it| !it.is_waiting()) else {
            return;
        };
        let read = loading.read(self.store.as_ref());
        if let Err(error) = &read
            && !self.shared.reading.is_failing()
        {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "stored sessions cannot be read, and will be tried again");
        }
        self.shared.reading.failed(read.is_err());
        match read {
            Err(_) => {}
            Ok(Batch::Count(open)) => self.shared.reading.counted(open),
            Ok(Batch::Open(rows)) => {
                for stored in &rows {
                    self.apply(stored);
                }
            }
            Ok(Batch::Ended(rows)) => {
                let mut all = rows.iter();
                if all
                    .try_for_each(|it| self.shared.remember_older(it))
                    .is_break()
                {
                    self.loaded();
                }
            }
            Ok(Batch::Done) => self.loaded(),
        }
    }

    fn loaded(&mut self) {
        self.loading = None;
        self.shared.reading.done();
        tracing::info!(sessions = self.shared.len(), "all stored sessions are read");
    }

    /// Takes in what the store says of one session, if it knows it.
    fn read(&mut self, id: SessionId) -> Result<(), StoreError> {
        if let Some(stored) = self.store.find_session(id)? {
            self.apply(&stored);
        }
        Ok(())
    }

    fn reached(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("the grant store is reachable again");
        }
    }

    fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.failing, true) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "the grant store cannot be used");
        }
    }

    fn apply(&mut self, stored: &Stored) {
        let id = stored.session.id;
        match (&stored.session.ended, self.shared.get(id)) {
            (Some(ended), known) => {
                if known.is_none() {
                    self.ended_unread(stored, ended);
                }
                self.shared.cut(stored);
            }
            // Ended here, and the store has yet to learn of it.
            (None, None) if self.shared.grave(id).is_some() || self.shared.is_ending(id) => return,
            (None, _) => return self.open_session(stored),
        }
        self.announce(stored);
    }

    /// A session that another process ended since the start, and that was not read by then: its summary is still to come.
    fn ended_unread(&self, stored: &Stored, ended: &Ended) {
        let id = stored.session.id;
        let told = self.in_flight.get(&id).copied().unwrap_or(Mark::NONE);
        let is_told = told.and(stored.recorded).contains(Mark::ENDED);
        let is_news = self.loading.as_ref().is_some_and(|it| it.is_news(stored));
        // One that was read and then cut by the lookout left its own.
        if is_news && !is_told && !self.shared.has_remains(id) {
            let session = LiveSession::new(stored);
            session.finish(ended.clone());
            self.shared.leave_remains(session);
        }
    }

    /// Takes a session that is not over into memory, unless its time is up: nobody may find it in between.
    fn open_session(&mut self, stored: &Stored) {
        let id = stored.session.id;
        let known = self.shared.get(id);
        if let Some(known) = &known
            && known.started_at == stored.session.started_at
        {
            return self.announce(stored);
        }
        let session = LiveSession::new(stored);
        let now = self.shared.clock.now();
        let idle = self.shared.settings.idle;
        let idles = session.started_at.is_some() && !idle.is_zero();
        let idle_from = idles.then(|| session.last_used().plus(idle));
        let over = if now >= stored.grant.expires_at {
            Some(expired(stored.grant.expires_at))
        } else {
            let is_idle = idle_from.is_some_and(|at| now >= at);
            is_idle.then(|| idle_at(now))
        };
        if let Some(ended) = over.filter(|_| known.is_none()) {
            self.shared.end(&session, ended);
            self.shared.leave_remains(session);
            return self.announce(stored);
        }
        self.shared.put(Arc::new(session));
        // Only now: a moment that comes finds the session.
        if known.is_none() {
            self.shared.expiry.lock().add(stored.grant.expires_at, id);
        }
        if let Some(at) = idle_from {
            self.shared.idle.lock().add(at, id);
        }
        self.announce(stored);
    }

    fn announce(&mut self, stored: &Stored) {
        let id = stored.session.id;
        let in_flight = self.in_flight.get(&id).copied().unwrap_or(Mark::NONE);
        let starter = self.shared.starter(id);
        for event in events::missing(stored, in_flight.and(stored.recorded), starter) {
            let mark = event.event.mark();
            let room = self.in_flight.len() < self.shared.settings.events.saturating_mul(2);
            if !room || self.events.try_send(event).is_err() {
                self.backlog = true;
                return;
            }
            let marks = self.in_flight.entry(id).or_default();
            *marks = marks.and(mark);
            if mark == Mark::STARTED {
                self.shared.forget_starter(id);
            }
        }
    }

    fn note_recorded(&mut self, marks: &[(SessionId, Mark)]) {
        for (id, mark) in marks {
            if let Some(left) = self.in_flight.get_mut(id) {
                *left = left.without(*mark);
                if *left == Mark::NONE {
                    self.in_flight.remove(id);
                }
            }
        }
    }

    fn write_ends(&mut self) {
        let mut pending = self.shared.take_ends();
        if pending.is_empty() {
            return;
        }
        let ends: Vec<(SessionId, Ended)> = pending
            .iter()
            .map(|end| (end.session, end.ended.clone()))
            .collect();
        match self.store.end(&ends) {
            Ok(firsts) => {
                for (end, first) in pending.into_iter().zip(firsts) {
                    if let Some(reply) = end.reply {
                        let _ = reply.send(Ok(first));
                    }
                }
            }
            Err(error) => {
                self.failed(&error);
                for reply in pending.iter_mut().filter_map(|end| end.reply.take()) {
                    let _ = reply.send(Err(StoreError::Failed {
                        doing: "ending a session; it is over here, and will be written later",
                        source: error.to_string().into(),
                    }));
                }
                self.shared.give_back_ends(pending);
            }
        }
    }

    fn write_uses(&mut self, at_once: bool) {
        if !at_once && self.last_touch.elapsed() < self.shared.settings.touch_interval {
            return;
        }
        self.last_touch = Instant::now();
        let mut uses: Vec<Use> = Vec::new();
        self.shared
            .for_each(|session| uses.extend(session.unwritten_use()));
        if uses.is_empty() {
            return;
        }
        match self.store.touch(&uses) {
            Ok(()) => {
                for one in uses {
                    if let Some(session) = self.shared.get(one.session) {
                        session.use_written(one.at);
                    }
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Writes what the journal has, and offers again what did not fit into the channel.
    fn pump_events(&mut self, at_once: bool) {
        if !at_once && self.last_events.elapsed() < EVENTS_INTERVAL {
            return;
        }
        self.last_events = Instant::now();
        let marks = self.shared.take_marks();
        if !marks.is_empty() {
            if let Err(error) = self.store.mark_recorded(&marks) {
                self.failed(&error);
                return self.shared.give_back_marks(marks);
            }
            self.note_recorded(&marks);
        }
        if at_once || !self.backlog || self.events.capacity() == 0 || self.events.is_closed() {
            return;
        }
        let limit = self.shared.settings.events.saturating_mul(4);
        match self.store.unrecorded(limit) {
            Ok(rows) => {
                self.backlog = rows.len() >= limit;
                // Another process may have written since the last look: nothing is told that is not done here.
                for stored in &rows {
                    self.apply(stored);
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    fn purge(&mut self) {
        let interval = self.shared.settings.purge_interval;
        if self.last_purge.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        self.last_purge = Some(Instant::now());
        let now = self.shared.clock.now();
        let keep = i64::try_from(self.shared.settings.keep_ended.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.millis().saturating_sub(keep));
        if let Err(error) = self.store.purge(now, before) {
            self.failed(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;
    use crate::model::{Binding, Clock, Secret, SessionId};
    use crate::store::conformance::{NOW, Outcome, grant};
    use crate::store::live::Settings;
    use crate::store::sqlite::{self, Sqlite};
    use crate::store::{Issue, Redemption, Target};

    #[test]
    fn no_end_is_told_before_it_is_done() -> Outcome {
        let dir = tempfile::tempdir()?;
        let file = sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        };
        let (store, other) = (Sqlite::open(&file)?, Sqlite::open(&file)?);
        let (code, cookie, session) = (Secret::fresh()?, Secret::fresh()?, SessionId::fresh());
        other.issue(&Issue {
            grant: grant(),
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: NOW.plus(Duration::from_secs(30)),
        })?;
        let started = other.redeem(&Redemption {
            session,
            code: code.hash(),
            cookie: cookie.hash(),
            binding: Binding::default(),
            now: NOW,
        })?;
        assert!(started.is_ok());
        let now = Arc::new(std::sync::atomic::AtomicI64::new(NOW.millis()));
        let shared = Arc::new(Shared::new(Clock::Fixed(now), Settings::default()));
        let (events, mut told) = mpsc::channel(8);
        let (mut keeper, _lookout) = Keeper::begin(Arc::new(store), Arc::clone(&shared), events)?;
        while keeper.loading.is_some() {
            keeper.load();
        }
        let live = shared.get(session).ok_or("it is not live")?;
        while told.try_recv().is_ok() {}
        // Another process ends it after this one has looked for changes, and before it looks for events.
        other.revoke(&Target::Session(session), "cli:root", NOW)?;
        keeper.backlog = true;
        std::thread::sleep(EVENTS_INTERVAL);
        keeper.pump_events(false);
        let event = told.try_recv()?.event;
        assert!(matches!(event, Event::Ended { .. }), "{event:?}");
        assert!(live.ended().is_cancelled() && shared.get(session).is_none());
        Ok(())
    }
}
