//! The contract that every store of grants keeps. One conformance suite runs against all of them.

use super::StoreError;
use crate::model::{
    Binding, Ended, Grant, GrantId, LockKey, SecretHash, Session, SessionId, Timestamp, Used,
};
use std::fmt;
use std::sync::Arc;

/// When a session was last used, and for what by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub session: SessionId,
    pub at: Timestamp,
    /// `None`: only the time is known.
    pub used: Option<Used>,
}

/// A grant with its session, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub grant: Arc<Grant>,
    pub session: Session,
    /// The newest use that was written down; lags behind by the flush interval.
    pub last_used: Option<Timestamp>,
    /// What it was used for by then; lags behind likewise.
    pub used: Option<Used>,
    /// Grows with every change that a reader must see.
    pub revision: i64,
    /// Which events about it have been written to the journal.
    pub recorded: Mark,
}

impl Stored {
    pub fn state(&self) -> State {
        match (&self.session.ended, self.session.started_at) {
            (Some(_), _) => State::Ended,
            (None, Some(_)) => State::Live,
            (None, None) => State::Pending,
        }
    }

    /// The events that its present state calls for.
    pub fn due(&self) -> Mark {
        let started = self
            .session
            .started_at
            .map_or(Mark::NONE, |_| Mark::STARTED);
        let ended = self
            .session
            .ended
            .as_ref()
            .map_or(Mark::NONE, |_| Mark::ENDED);
        Mark::ISSUED.and(started).and(ended)
    }
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The start code was not redeemed yet.
    Pending,
    Live,
    Ended,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

/// A set of the three events in a session's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u8);

impl Mark {
    pub const NONE: Self = Self(0);
    pub const ISSUED: Self = Self(1);
    pub const STARTED: Self = Self(2);
    pub const ENDED: Self = Self(4);

    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }

    pub const fn bits(self) -> u8 {
        self.0
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A new grant with its pending session and start code.
#[derive(Clone, Debug)]
pub struct Issue {
    pub grant: Grant,
    pub session: SessionId,
    pub binding: Binding,
    pub code: SecretHash,
    pub code_expires: Timestamp,
}

/// A start code presented at a session's origin.
#[derive(Clone, Debug)]
pub struct Redemption {
    /// The session whose origin was asked; a code of another session is unknown here.
    pub session: SessionId,
    pub code: SecretHash,
    /// The hash of the cookie that the client gets if this succeeds.
    pub cookie: SecretHash,
    /// Fills what the binding given at issue left open.
    pub binding: Binding,
    pub now: Timestamp,
}

/// Why a start code was not redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemRefused {
    /// No such code for this session.
    Unknown,
    /// Somebody redeemed it before. Worth an alert: two people have the link.
    Used { at: Timestamp },
    /// The code's time ran out.
    Expired { at: Timestamp },
    /// The grant is not good yet.
    NotYet { at: Timestamp },
    /// Somebody locked what this grant is for.
    Locked { key: LockKey },
    /// The session is over.
    Ended(Ended),
}

impl fmt::Display for RedeemRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("this start link is not known"),
            Self::Used { at } => write!(f, "this start link was already used at {at}"),
            Self::Expired { at } => write!(f, "this start link expired at {at}"),
            Self::NotYet { at } => write!(f, "this grant is not good before {at}"),
            Self::Locked { key } => {
                write!(
                    f,
                    "access is locked ({}): ask the security team",
                    key.kind()
                )
            }
            Self::Ended(ended) => {
                write!(f, "this session was ended by {} at {}", ended.by, ended.at)
            }
        }
    }
}

impl std::error::Error for RedeemRefused {}

/// Why no fresh start code was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReissueRefused {
    Unknown,
    /// The session has started: a second way in would be a second browser.
    Started {
        at: Timestamp,
    },
    Ended(Ended),
}

impl fmt::Display for ReissueRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such grant"),
            Self::Started { at } => write!(
                f,
                "its session started at {at}: revoke the grant and issue another"
            ),
            Self::Ended(ended) => {
                write!(f, "its session was ended by {} at {}", ended.by, ended.at)
            }
        }
    }
}

impl std::error::Error for ReissueRefused {}

/// What an external token is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalUse {
    /// Presented with each request; the same token may come again.
    Bearer,
    /// Exchanged once for a browser session with this cookie.
    Exchange(SecretHash),
}

/// A verified external token that asks for a session.
#[derive(Clone, Debug)]
pub struct Admission {
    /// `external_id` is the token's `jti`.
    pub grant: Grant,
    /// Derived from issuer and `jti`: the same token is the same session, also after a restart.
    pub session: SessionId,
    pub issuer: String,
    pub external_id: String,
    pub using: ExternalUse,
    pub binding: Binding,
    pub now: Timestamp,
    /// After this the token is dead by itself and its `jti` may be forgotten.
    pub forget_after: Timestamp,
}

/// Why a verified external token got no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmitRefused {
    Revoked {
        at: Timestamp,
        by: String,
    },
    /// The token was used before in a way that excludes this use.
    Used {
        at: Timestamp,
    },
    /// Somebody locked what this grant is for.
    Locked {
        key: LockKey,
    },
    Ended(Ended),
}

impl fmt::Display for AdmitRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked { at, by } => write!(f, "the token was revoked by {by} at {at}"),
            Self::Used { at } => write!(f, "the token was already used at {at}"),
            Self::Locked { key } => {
                write!(
                    f,
                    "access is locked ({}): ask the security team",
                    key.kind()
                )
            }
            Self::Ended(ended) => {
                write!(f, "its session was ended by {} at {}", ended.by, ended.at)
            }
        }
    }
}

impl std::error::Error for AdmitRefused {}

/// What to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Grant(GrantId),
    Session(SessionId),
    /// An external token, also one that was never seen here.
    External {
        /// `None`: whatever issuer.
        issuer: Option<String>,
        external_id: String,
        /// How long to remember it; at least the longest life of a token.
        remember_until: Timestamp,
    },
}

/// What a revocation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocation {
    /// Sessions that this call ended.
    pub ended: Vec<SessionId>,
    /// Sessions that were over before, with their first cause.
    pub already: Vec<(SessionId, Ended)>,
    /// The external token is now refused, seen before or not.
    pub token: bool,
}

impl Revocation {
    /// Whether there was nothing to revoke under that name.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.already.is_empty() && !self.token
    }
}

/// Which grants to list; every field given must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub app: Option<String>,
    pub operator: Option<String>,
    pub subject: Option<String>,
    pub tenant: Option<String>,
    pub ticket: Option<String>,
    pub external_id: Option<String>,
    /// At most this many, newest first; 0 means 1,000.
    pub limit: usize,
}

/// Changes whenever anybody wrote: compare for equality only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub u64);

/// Rows that changed after a revision, oldest change first.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub rows: Vec<Stored>,
    /// Ask from here the next time.
    pub revision: i64,
}

/// A durable store of grants, sessions, start codes and used external tokens.
///
/// Every call blocks, for as long as a disk takes. From asynchronous code use
/// [`Live::with_store`](super::live::Live::with_store), which runs it on the store's own thread.
/// When a call that writes has returned `Ok`, the write survives a power cut.
pub trait GrantStore: Send + Sync {
    /// Adds a grant, its pending session and its start code: all or nothing.
    fn issue(&self, issue: &Issue) -> Result<(), StoreError>;

    /// Gives a grant whose session has not started a new start code; the old one is void.
    fn reissue_code(
        &self,
        grant: GrantId,
        code: SecretHash,
        code_expires: Timestamp,
    ) -> Result<Result<SessionId, ReissueRefused>, StoreError>;

    /// Redeems a start code: once, atomically. The session starts with its cookie.
    fn redeem(&self, with: &Redemption) -> Result<Result<Stored, RedeemRefused>, StoreError>;

    /// Finds or makes the session of a verified external token.
    fn admit(&self, admission: &Admission) -> Result<Result<Stored, AdmitRefused>, StoreError>;

    /// Ends sessions. The first cause stands: each answer is what the session was ended with, by this
    /// call or an earlier one; `None` where there is no such session.
    fn end(&self, ends: &[(SessionId, Ended)]) -> Result<Vec<Option<Ended>>, StoreError>;

    /// Revokes a grant, session or external token, and ends what lives by it.
    fn revoke(&self, target: &Target, by: &str, at: Timestamp) -> Result<Revocation, StoreError>;

    /// The grant of that id with its session.
    fn find_grant(&self, id: GrantId) -> Result<Option<Stored>, StoreError>;

    /// The session of that id with its grant.
    fn find_session(&self, id: SessionId) -> Result<Option<Stored>, StoreError>;

    /// Grants by filter, newest first.
    fn list(&self, filter: &Filter) -> Result<Vec<Stored>, StoreError>;

    /// The revision of the newest change: what is read after it shows that change and all before.
    fn revision(&self) -> Result<i64, StoreError>;

    /// The next sessions that are not over, in the order in which the store keeps their ids: those after the session `after`,
    /// which may have ended since. None: all were handed out. Each page is a read of its own, so nothing is held between
    /// two, and each is true at its own moment: who goes on with the changes since a revision asked for before the first misses none.
    fn open_after(&self, after: Option<SessionId>, limit: usize)
    -> Result<Vec<Stored>, StoreError>;

    /// How many sessions are not over.
    fn open_count(&self) -> Result<usize, StoreError>;

    /// All that are not over, and a revision from before they were read.
    #[cfg(test)]
    fn load_open(&self) -> Result<Changes, StoreError> {
        let revision = self.revision()?;
        let rows = self.open_after(None, usize::MAX)?;
        Ok(Changes { rows, revision })
    }

    /// The sessions that ended last, newest first: those before `before`, the time and the session that a page closed with.
    fn ended_before(
        &self,
        before: Option<(Timestamp, SessionId)>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// Something cheap that differs whenever there may be changes to read.
    fn version(&self) -> Result<Version, StoreError>;

    /// The sessions changed after `revision`.
    fn changes_since(&self, revision: i64) -> Result<Changes, StoreError>;

    /// Notes when sessions were last used. Not a change in the sense of [`GrantStore::version`].
    fn touch(&self, uses: &[Use]) -> Result<(), StoreError>;

    /// Notes which events are in the journal.
    fn mark_recorded(&self, marks: &[(SessionId, Mark)]) -> Result<(), StoreError>;

    /// Sessions with events that are not in the journal yet, oldest change first.
    fn unrecorded(&self, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// Forgets used and revoked external tokens that are dead at `now`, and grants whose session ended
    /// before `ended_before` and is fully recorded. Returns how many rows went.
    fn purge(&self, now: Timestamp, ended_before: Timestamp) -> Result<usize, StoreError>;
}
