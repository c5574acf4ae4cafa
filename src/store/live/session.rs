//! One session in memory, shared by all its exchanges.

use super::usage::Usage;
use crate::model::{Binding, Ended, Grant, Secret, SecretHash, SessionId, Timestamp};
use crate::store::{Stored, Use};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// A place in a session for what a neighbour keeps with it; dropped with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The app's cookies.
    Jar,
    /// The part of an audit record that is the same for every exchange.
    Audit,
    /// The banner's text.
    Banner,
    /// What is put on for the app: assertion, minted credential.
    Identity,
    /// The grant as policy sees it.
    Policy,
}

const SLOTS: usize = 5;

type Kept = OnceLock<Arc<dyn Any + Send + Sync>>;

/// What comes with a session's first use.
#[derive(Default)]
struct Beside {
    slots: [Kept; SLOTS],
    usage: Usage,
}

/// A session as requests see it. All but its use and its end is fixed.
pub struct LiveSession {
    pub id: SessionId,
    pub grant: Arc<Grant>,
    pub binding: Binding,
    /// `None` while the start code was not redeemed.
    pub started_at: Option<Timestamp>,
    cookie: Option<SecretHash>,
    token: CancellationToken,
    ending: OnceLock<Box<Ended>>,
    last_used: AtomicI64,
    /// The last use that the store knows of.
    flushed: AtomicI64,
    /// Most sessions of a large store are not in use: these come with the first use.
    beside: OnceLock<Box<Beside>>,
}

impl LiveSession {
    pub(super) fn new(stored: &Stored) -> Self {
        let used = stored.last_used.or(stored.session.started_at);
        let used = used.map_or(0, Timestamp::millis);
        // A restart goes on counting where the process before wrote last.
        let beside = stored.used.map(|before| Beside {
            usage: Usage::since(before),
            ..Beside::default()
        });
        Self {
            id: stored.session.id,
            grant: Arc::clone(&stored.grant),
            binding: stored.session.binding.clone(),
            started_at: stored.session.started_at,
            cookie: stored.session.cookie,
            token: CancellationToken::new(),
            ending: OnceLock::new(),
            last_used: AtomicI64::new(used),
            flushed: AtomicI64::new(used),
            beside: beside.map_or_else(OnceLock::new, |it| OnceLock::from(Box::new(it))),
        }
    }

    /// Whether `secret` is this session's cookie, in constant time. Never for one without a cookie.
    pub fn cookie_matches(&self, secret: &Secret) -> bool {
        self.cookie.is_some_and(|hash| hash.matches(secret))
    }

    /// Whether it is lived by a bearer token rather than a cookie.
    pub fn is_bearer(&self) -> bool {
        self.cookie.is_none() && self.started_at.is_some()
    }

    /// Cancelled the moment the session is over, whatever ended it: bodies, event streams and
    /// web sockets select on it. [`LiveSession::ending`] then says why.
    pub fn ended(&self) -> &CancellationToken {
        &self.token
    }

    /// Who or what ended it; `None` while it lives.
    pub fn ending(&self) -> Option<&Ended> {
        self.ending.get().map(AsRef::as_ref)
    }

    /// The first ending stands and cancels.
    pub(super) fn finish(&self, ended: Ended) {
        let _ = self.ending.set(Box::new(ended));
        self.token.cancel();
    }

    /// Notes a use, for the idle timeout. Cheap: one relaxed store.
    pub fn touch(&self, now: Timestamp) {
        self.last_used.store(now.millis(), Ordering::Relaxed);
    }

    pub fn last_used(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// A use that the store does not know of yet.
    pub(super) fn unwritten_use(&self) -> Option<Use> {
        let at = self.last_used.load(Ordering::Relaxed);
        (at > self.flushed.load(Ordering::Relaxed)).then(|| Use {
            session: self.id,
            at: Timestamp::from_millis(at),
            used: self.beside.get().map(|it| it.usage.so_far()),
        })
    }

    pub(super) fn use_written(&self, at: Timestamp) {
        self.flushed.store(at.millis(), Ordering::Relaxed);
    }

    /// What it was used for.
    pub fn usage(&self) -> &Usage {
        &self.beside.get_or_init(Box::default).usage
    }

    /// Whether anything is left of it that outlives its end for a moment.
    pub(super) fn was_used(&self) -> bool {
        self.beside.get().is_some()
    }

    /// What a neighbour keeps in `slot`, made the first time. `None` only where the slot holds another
    /// type, which is a mistake of the callers.
    pub fn keep<T: Any + Send + Sync>(
        &self,
        slot: Slot,
        make: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let beside = self.beside.get_or_init(Box::default);
        let kept = beside.slots.get(slot as usize)?;
        let any = kept.get_or_init(|| Arc::new(make()));
        Arc::clone(any).downcast().ok()
    }

    /// What is in `slot`, if anything is.
    pub fn kept<T: Any + Send + Sync>(&self, slot: Slot) -> Option<Arc<T>> {
        let kept = self.beside.get()?.slots.get(slot as usize)?.get()?;
        Arc::clone(kept).downcast().ok()
    }
}

impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession")
            .field("id", &self.id)
            .field("grant", &self.grant.id)
            .field("started_at", &self.started_at)
            .field("ending", &self.ending.get())
            .finish_non_exhaustive()
    }
}
