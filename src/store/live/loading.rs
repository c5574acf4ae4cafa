//! What was stored before the start comes into memory in batches, between the other work of the store's thread, so that the
//! first request does not wait for the last session. Until all are in, a request whose session is not asks the store for it
//! ([`Live::find_or_read`](super::Live::find_or_read)).
//!
//! Nothing that changes meanwhile is missed or undone. The revision is taken before the first batch, and both threads go on from
//! it: a change of a row that was read comes again with the changes, and one of a row that was not is in the row. The batches, the
//! changes and the rows that requests ask for are all taken in by this one thread, in the order in which it read them, so no
//! row comes after a newer one. What ends meanwhile leaves a tombstone, which [`Shared::put`](super::shared::Shared::put) heeds.

use crate::model::{SessionId, Timestamp};
use crate::store::{GrantStore, StoreError, Stored};
use std::time::{Duration, Instant};

/// Sessions read at once: some 2 ms, in which the store's thread does nothing else.
const BATCH: usize = 500;

/// How long to wait after a batch that could not be read.
const RETRY: Duration = Duration::from_millis(200);

/// What is read next.
enum Next {
    Count,
    /// Open ones, after this one.
    Open(Option<SessionId>),
    /// Ended ones, before this one.
    Ended(Option<(Timestamp, SessionId)>),
}

/// What was read.
pub(super) enum Batch {
    Count(usize),
    Open(Vec<Stored>),
    Ended(Vec<Stored>),
    /// All open sessions and as many ended ones as the store has were handed out.
    Done,
}

/// How far the reading is.
pub(super) struct Loading {
    next: Next,
    since: i64,
    retry_at: Option<Instant>,
}

impl Loading {
    /// `since`: the store's revision before anything was read.
    pub(super) fn new(since: i64) -> Self {
        Self {
            next: Next::Count,
            since,
            retry_at: None,
        }
    }

    /// Whether a row changed after the reading began.
    pub(super) fn is_news(&self, stored: &Stored) -> bool {
        stored.revision > self.since
    }

    /// Whether to leave the store alone for now.
    pub(super) fn is_waiting(&self) -> bool {
        self.retry_at.is_some_and(|at| Instant::now() < at)
    }

    /// Reads the next batch. One that could not be read is read again.
    pub(super) fn read(&mut self, store: &dyn GrantStore) -> Result<Batch, StoreError> {
        let read = self.read_next(store);
        self.retry_at = read.is_err().then(|| Instant::now() + RETRY);
        read
    }

    fn read_next(&mut self, store: &dyn GrantStore) -> Result<Batch, StoreError> {
        match self.next {
            Next::Count => {
                let count = store.open_count()?;
                self.next = Next::Open(None);
                Ok(Batch::Count(count))
            }
            Next::Open(after) => {
                let rows = store.open_after(after, BATCH)?;
                self.next = match rows.last() {
                    Some(last) => Next::Open(Some(last.session.id)),
                    None => Next::Ended(None),
                };
                Ok(Batch::Open(rows))
            }
            Next::Ended(before) => {
                let rows = store.ended_before(before, BATCH)?;
                let last = rows.last().and_then(|last| {
                    let ended = last.session.ended.as_ref()?;
                    Some((ended.at, last.session.id))
                });
                if last.is_none() {
                    return Ok(Batch::Done);
                }
                self.next = Next::Ended(last);
                Ok(Batch::Ended(rows))
            }
        }
    }
}
