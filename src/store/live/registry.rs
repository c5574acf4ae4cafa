//! [`Live`]: find a session, start one, end one.

use super::events::{Event, SessionEvent};
use super::over::{Staleness, Tombstone, expired, tombstone};
use super::session::LiveSession;
use super::settings::Settings;
use super::shared::{PendingEnd, Shared};
use super::thread::{self, Call, Message};
use crate::model::{Binding, Clock, EndCause, Ended, Secret, SessionId};
use crate::store::{Admission, AdmitRefused, GrantStore, RedeemRefused, Redemption, StoreError};
use parking_lot::Mutex;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What is known of a session at this moment.
#[derive(Clone, Debug)]
pub enum Found {
    /// Started, inside its grant's time, and not ended.
    Live(Arc<LiveSession>),
    /// Its start code was not redeemed, or its grant is not good yet.
    Pending(Arc<LiveSession>),
    Ended(Arc<Tombstone>),
    Unknown,
    Stale(Staleness),
}

/// A session that just started, and the secret to set as its cookie.
#[derive(Debug)]
pub struct Redeemed {
    pub session: Arc<LiveSession>,
    pub cookie: Secret,
}

/// Why a start code did not start a session.
#[derive(Debug)]
pub enum RedeemError {
    /// The client's side: say so on the page.
    Refused(RedeemRefused),
    /// Ours: 503.
    Stale(Staleness),
    /// `max_sessions` are open: 503.
    Full,
    /// Ours: 503.
    Store(StoreError),
}

/// Why a verified external token got no session.
#[derive(Debug)]
pub enum AdmitError {
    Refused(AdmitRefused),
    Stale(Staleness),
    Full,
    Store(StoreError),
}

macro_rules! error {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Refused(why) => why.fmt(f),
                    Self::Stale(why) => why.fmt(f),
                    Self::Full => f.write_str("as many sessions as allowed are open"),
                    Self::Store(why) => why.fmt(f),
                }
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Refused(why) => Some(why),
                    Self::Store(why) => Some(why),
                    Self::Stale(_) | Self::Full => None,
                }
            }
        }

        impl From<StoreError> for $name {
            fn from(error: StoreError) -> Self {
                Self::Store(error)
            }
        }
    };
}

error!(RedeemError);
error!(AdmitError);

/// Resolves when an ending is in the store. Dropping it is fine: the ending is written regardless.
#[must_use = "await it where the answer must survive a crash, else drop it knowingly"]
#[derive(Debug)]
pub struct Durable(oneshot::Receiver<Result<Option<Ended>, StoreError>>);

impl Durable {
    /// What the session was ended with: the first cause stands. `None`: there is no such session.
    pub async fn wait(self) -> Result<Option<Ended>, StoreError> {
        self.0.await.unwrap_or(Err(StoreError::Stopped))
    }
}

/// Who starts a session, as far as the connection tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Starter {
    /// What the session is tied to from now on, where the grant left it open.
    pub binding: Binding,
    /// For the record of the start.
    pub client: Option<IpAddr>,
}

/// Counts for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Live and pending sessions, those included that are not read yet.
    pub open: usize,
    /// Those that were stored before the start and are not in memory yet; at least 1 until the last one is.
    pub unread: usize,
    pub tombstones: usize,
    /// Endings that are not in the store yet.
    pub unwritten_ends: usize,
    pub stale: Option<Staleness>,
}

/// The registry. Shared by all data-plane threads.
pub struct Live {
    shared: Arc<Shared>,
    calls: SyncSender<Message>,
    /// Room for requests that ask the store for their session.
    lookups: Semaphore,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    store: JoinHandle<()>,
    lookout: JoinHandle<()>,
    /// Dropped, it stops the lookout.
    looking: SyncSender<()>,
}

impl Live {
    /// Makes sure that the store can be read (blocking), and starts the threads that read the open sessions and keep them
    /// in step.
    ///
    /// The receiver yields each event in a session's life; see [`SessionEvent`].
    pub fn open(
        store: Arc<dyn GrantStore>,
        clock: Clock,
        settings: Settings,
    ) -> Result<(Arc<Self>, mpsc::Receiver<SessionEvent>), StoreError> {
        let (calls, inbox) = sync_channel(settings.calls.max(1));
        let (events, receiver) = mpsc::channel(settings.events.max(1));
        let shared = Arc::new(Shared::new(clock, settings));
        let (keeper, lookout) = thread::Keeper::begin(store, Arc::clone(&shared), events)?;
        let (looking, stop) = sync_channel(0);
        let threads = Threads {
            store: spawn("locum-store", move || keeper.run(&inbox))?,
            lookout: spawn("locum-lookout", move || lookout.run(&stop))?,
            looking,
        };
        let live = Self {
            lookups: Semaphore::new(shared.settings.lookups.min(Semaphore::MAX_PERMITS)),
            shared,
            calls,
            threads: Mutex::new(Some(threads)),
        };
        Ok((Arc::new(live), receiver))
    }

    /// The same as [`Live::find`], and right from the start: while not all sessions are read, the store is asked for one that
    /// is not in memory. Whatever keeps it from answering is a [`Found::Stale`], so nothing is permitted for it.
    pub async fn find_or_read(&self, id: SessionId) -> Found {
        let found = self.find(id);
        if !matches!(found, Found::Unknown) {
            return found;
        }
        if !self.shared.reading.is_under_way() {
            // The last of them may have come between the look and the question.
            return self.find(id);
        }
        // Boxed: it is rare, and every request would carry the room for it.
        Box::pin(self.read(id)).await
    }

    /// Has the store's thread take this session in before its turn.
    async fn read(&self, id: SessionId) -> Found {
        let Ok(_room) = self.lookups.try_acquire() else {
            return Found::Stale(Staleness::Crowded);
        };
        let (reply, read) = oneshot::channel();
        let sent = self.calls.try_send(Message::Read(id, reply));
        if sent.is_ok() && matches!(read.await, Ok(Ok(()))) {
            self.find(id)
        } else {
            Found::Stale(Staleness::Unread)
        }
    }

    /// What is known of a session in memory. Takes under a microsecond and never blocks on a disk. Just after a start a session
    /// may be stored that is not in memory: [`Live::find_or_read`] finds it.
    pub fn find(&self, id: SessionId) -> Found {
        if let Some(why) = self.shared.staleness() {
            return Found::Stale(why);
        }
        let Some(session) = self.shared.get(id) else {
            return self.shared.grave(id).map_or(Found::Unknown, Found::Ended);
        };
        let now = self.shared.clock.now();
        if let Some(ended) = session.ending() {
            return Found::Ended(Arc::new(tombstone(&session, ended.clone())));
        }
        if now >= session.grant.expires_at {
            // The timer is at most a tick behind; a request in between must not slip through.
            let ended = expired(session.grant.expires_at);
            return Found::Ended(Arc::new(tombstone(&session, ended)));
        }
        if session.started_at.is_none() || now < session.grant.not_before {
            return Found::Pending(session);
        }
        Found::Live(session)
    }

    /// Why nothing is live at the moment, for readiness; `None` when all is well. That not all sessions are read after the start is no
    /// reason: each is found that is asked for. That they cannot be is one.
    pub fn staleness(&self) -> Option<Staleness> {
        let unreadable = self.shared.reading.is_failing();
        let unread = unreadable.then_some(Staleness::Unread);
        self.shared.staleness().or(unread)
    }

    /// Whether sessions that were stored before the start are still being read.
    pub fn is_reading(&self) -> bool {
        self.shared.reading.is_under_way()
    }

    /// The clock that all decisions about time go by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub fn stats(&self) -> Stats {
        let unread = self.shared.unread();
        Stats {
            open: self.shared.len() + unread,
            unread: unread.max(usize::from(self.is_reading())),
            tombstones: self.shared.graves(),
            unwritten_ends: self.shared.unwritten_ends(),
            stale: self.staleness(),
        }
    }

    /// Ends a session at once: its token is cancelled and [`Live::find`] refuses it before this
    /// returns; the store learns of it in the background, with retries. Whoever ends one has found it, so it is in memory; one
    /// that is not read yet is over as soon as the store knows.
    pub fn end(&self, id: SessionId, cause: EndCause, by: &str) -> Durable {
        let ended = Ended {
            cause,
            at: self.shared.clock.now(),
            by: by.to_owned(),
        };
        if let Some(session) = self.shared.get(id) {
            self.shared.bury(&session, ended.clone());
        }
        let (reply, receiver) = oneshot::channel();
        self.shared.queue_end(PendingEnd {
            session: id,
            ended,
            reply: Some(reply),
        });
        let _ = self.calls.try_send(Message::Wake);
        Durable(receiver)
    }

    /// Redeems a start code at the origin of `session`. The binding fills what the grant left open.
    pub async fn redeem(
        &self,
        session: SessionId,
        code: &Secret,
        starter: Starter,
    ) -> Result<Redeemed, RedeemError> {
        if let Some(why) = self.shared.staleness() {
            return Err(RedeemError::Stale(why));
        }
        let room = self.room();
        // The one that starts is counted already, unless it was issued elsewhere a moment ago.
        let others = self.shared.len() - usize::from(self.shared.get(session).is_some());
        if others >= self.shared.settings.max_sessions {
            return Err(RedeemError::Full);
        }
        let cookie = fresh_secret()?;
        let with = Redemption {
            session,
            code: code.hash(),
            cookie: cookie.hash(),
            binding: starter.binding,
            now: self.shared.clock.now(),
        };
        let shared = Arc::clone(&self.shared);
        let redeem = move |store: &dyn GrantStore| -> Result<_, StoreError> {
            // The one that starts is stored, so it is counted.
            if !room.is_there(store, 1)? {
                return Ok(None);
            }
            let redeemed = store.redeem(&with)?;
            if redeemed.is_ok() {
                shared.note_starter(session, starter.client);
            }
            Ok(Some(redeemed))
        };
        self.with_store(redeem)
            .await??
            .ok_or(RedeemError::Full)?
            .map_err(RedeemError::Refused)?;
        match self.find(session) {
            Found::Live(session) => Ok(Redeemed { session, cookie }),
            Found::Ended(grave) => {
                let ended = grave.ended.clone();
                Err(RedeemError::Refused(RedeemRefused::Ended(ended)))
            }
            Found::Stale(why) => Err(RedeemError::Stale(why)),
            // Redeemed, but memory could not be brought up to date.
            Found::Pending(_) | Found::Unknown => Err(RedeemError::Store(StoreError::Busy)),
        }
    }

    /// Finds or makes the session of a verified external token.
    pub async fn admit(
        &self,
        admission: Admission,
        client: Option<IpAddr>,
    ) -> Result<Arc<LiveSession>, AdmitError> {
        if let Some(why) = self.shared.staleness() {
            return Err(AdmitError::Stale(why));
        }
        let room = self.room();
        if self.shared.len() >= self.shared.settings.max_sessions {
            return Err(AdmitError::Full);
        }
        let id = admission.session;
        let shared = Arc::clone(&self.shared);
        let admit = move |store: &dyn GrantStore| -> Result<_, StoreError> {
            if !room.is_there(store, 0)? {
                return Ok(None);
            }
            let admitted = store.admit(&admission)?;
            if admitted.is_ok() && shared.get(id).is_none() {
                shared.note_starter(id, client);
            }
            Ok(Some(admitted))
        };
        self.with_store(admit)
            .await??
            .ok_or(AdmitError::Full)?
            .map_err(AdmitError::Refused)?;
        match self.find(id) {
            Found::Live(session) => Ok(session),
            Found::Ended(grave) => {
                let ended = grave.ended.clone();
                Err(AdmitError::Refused(AdmitRefused::Ended(ended)))
            }
            Found::Stale(why) => Err(AdmitError::Stale(why)),
            Found::Pending(_) | Found::Unknown => Err(AdmitError::Store(StoreError::Corrupt {
                what: "session",
                detail: format!("{id} was admitted but is not live"),
            })),
        }
    }

    /// To be asked for before memory is counted: what is read between is then counted twice rather than never.
    fn room(&self) -> Room {
        Room {
            max: self.shared.settings.max_sessions,
            is_memory_whole: !self.shared.reading.is_under_way(),
        }
    }

    /// Runs `call` on the store's thread; when this resolves, [`Live::find`] sees what it did.
    pub async fn with_store<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn GrantStore) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, receiver) = oneshot::channel();
        let call: Call = Box::new(move |store| {
            let out = call(store);
            Box::new(move || {
                let _ = reply.send(out);
            })
        });
        match self.calls.try_send(Message::Call(call)) {
            Ok(()) => receiver.await.map_err(|_| StoreError::Stopped),
            Err(TrySendError::Full(_)) => Err(StoreError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Stopped),
        }
    }

    /// What is left of a session that ended and was used in this process: once, and only to tidy up after it. It can be
    /// taken from the moment that its [`Event::Ended`] arrives.
    pub fn take_remains(&self, id: SessionId) -> Option<Arc<LiveSession>> {
        self.shared.take_remains(id)
    }

    /// Notes that `event` is in the journal, so that it never comes again.
    pub fn recorded(&self, event: &SessionEvent) {
        self.shared
            .queue_mark(event.session, Event::mark(&event.event));
    }

    /// Writes what is queued and stops the threads (blocking). Afterwards calls are refused, and
    /// nothing is live once the lease has run out.
    pub fn stop(&self) {
        let threads = self.threads.lock().take();
        let store = threads.map(|threads| {
            // First, so that what it ended last is written.
            drop(threads.looking);
            let _ = threads.lookout.join();
            threads.store
        });
        let _ = self.calls.send(Message::Stop);
        if let Some(store) = store {
            let _ = store.join();
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("stats", &self.stats())
            .finish()
    }
}

/// Whether another session may start, as the store counts them while memory cannot.
struct Room {
    max: usize,
    is_memory_whole: bool,
}

impl Room {
    fn is_there(&self, store: &dyn GrantStore, own: usize) -> Result<bool, StoreError> {
        Ok(self.is_memory_whole || store.open_count()?.saturating_sub(own) < self.max)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(run).map_err(|source| StoreError::Failed {
        doing: "starting its thread",
        source: Box::new(source),
    })
}

fn fresh_secret() -> Result<Secret, StoreError> {
    Secret::fresh().map_err(|source| StoreError::Failed {
        doing: "drawing random bytes for a cookie",
        source: Box::new(source),
    })
}
