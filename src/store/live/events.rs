//! What happened to sessions, for the journal: each event once, also when it happened in another
//! process or while this one was down.

use crate::model::{Ended, Grant, SessionId, Timestamp};
use crate::store::{Mark, Stored};
use std::net::IpAddr;
use std::sync::Arc;

/// One event. After it is in the journal, hand it to [`Live::recorded`](super::Live::recorded): an
/// event that was not handed back comes again after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    pub session: SessionId,
    pub grant: Arc<Grant>,
    pub event: Event,
}

/// The events of a session's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A grant came into being, its session waits to be started.
    Issued,
    Started {
        at: Timestamp,
        /// Known where it was started through this process, since it began; it is not stored.
        client: Option<IpAddr>,
    },
    /// `started_at` is `None` where it never began.
    Ended {
        started_at: Option<Timestamp>,
        ended: Ended,
    },
}

impl Event {
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::Issued => Mark::ISSUED,
            Self::Started { .. } => Mark::STARTED,
            Self::Ended { .. } => Mark::ENDED,
        }
    }
}

/// The events that `stored` calls for and that `announced` lacks, in order.
pub(super) fn missing(
    stored: &Stored,
    announced: Mark,
    client: Option<IpAddr>,
) -> Vec<SessionEvent> {
    let lacks = |mark: Mark| stored.due().contains(mark) && !announced.contains(mark);
    let mut out = Vec::new();
    let mut push = |event| {
        out.push(SessionEvent {
            session: stored.session.id,
            grant: Arc::clone(&stored.grant),
            event,
        });
    };
    if lacks(Mark::ISSUED) {
        push(Event::Issued);
    }
    if let Some(at) = stored.session.started_at.filter(|_| lacks(Mark::STARTED)) {
        push(Event::Started { at, client });
    }
    if let Some(ended) = stored.session.ended.clone().filter(|_| lacks(Mark::ENDED)) {
        let started_at = stored.session.started_at;
        push(Event::Ended { started_at, ended });
    }
    out
}
