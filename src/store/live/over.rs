//! What is said of sessions that are over, and of why nothing can be said.

use super::session::LiveSession;
use crate::model::{EndCause, Ended, Grant, SessionId, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A session that is over, without what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub session: SessionId,
    pub grant: Arc<Grant>,
    pub started_at: Option<Timestamp>,
    pub ended: Ended,
}

/// Why nothing can be said of any session now. Ours, never the client's: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// The store was not reached for so long, which is longer than the lease.
    Store { since: Duration },
    /// The wall clock stepped back by so much.
    Clock { behind: Duration },
    /// Not all sessions are read after the start, and the store could not say whether this one lives.
    Unread,
    /// Not all sessions are read after the start, and as many as allowed are being looked up.
    Crowded,
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { since } => {
                write!(
                    f,
                    "the grant store was not reached for {} ms",
                    since.as_millis()
                )
            }
            Self::Clock { behind } => {
                write!(f, "the system clock stepped back by {} s", behind.as_secs())
            }
            Self::Unread => f.write_str(
                "sessions are still being read after the start, and the grant store does not answer",
            ),
            Self::Crowded => f.write_str(
                "sessions are still being read after the start, and too many requests wait for that",
            ),
        }
    }
}

pub(super) fn expired(at: Timestamp) -> Ended {
    Ended {
        cause: EndCause::Expired,
        at,
        by: "locum".to_owned(),
    }
}

pub(super) fn idle_at(at: Timestamp) -> Ended {
    Ended {
        cause: EndCause::Idle,
        at,
        by: "locum".to_owned(),
    }
}

pub(super) fn tombstone(session: &LiveSession, ended: Ended) -> Tombstone {
    Tombstone {
        session: session.id,
        grant: Arc::clone(&session.grant),
        started_at: session.started_at,
        ended,
    }
}
