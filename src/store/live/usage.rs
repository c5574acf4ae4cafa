//! What a session was used for, counted as it goes: for the summary at its end, and for a workload's budget.

use crate::model::{Timestamp, Used};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one session; nothing is ordered by them. Written down with the session's uses: a process that dies takes
/// with it what came after the last time.
#[derive(Debug, Default)]
pub struct Usage {
    requests: AtomicU64,
    reads: AtomicU64,
    changes: AtomicU64,
    refusals: AtomicU64,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    first: AtomicI64,
    last: AtomicI64,
    under_way: AtomicU64,
}

impl Usage {
    /// Goes on where another process left off.
    pub(super) fn since(before: Used) -> Self {
        let moment = |at: Option<Timestamp>| AtomicI64::new(at.map_or(0, Timestamp::millis));
        Self {
            requests: before.requests.into(),
            reads: before.reads.into(),
            changes: before.changes.into(),
            refusals: before.refusals.into(),
            request_bytes: before.request_bytes.into(),
            response_bytes: before.response_bytes.into(),
            first: moment(before.first),
            last: moment(before.last),
            under_way: AtomicU64::new(0),
        }
    }

    /// Counts a request at `now`; returns how many there have been with it.
    pub fn request(&self, now: Timestamp) -> u64 {
        self.last.store(now.millis(), Ordering::Relaxed);
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.first.store(now.millis(), Ordering::Relaxed);
        }
        before.saturating_add(1)
    }

    /// It was forwarded: to look at something, or to change it.
    pub fn forwarded(&self, is_change: bool) {
        let counter = if is_change {
            &self.changes
        } else {
            &self.reads
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn refused(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of bodies and messages: from the client, and towards it.
    pub fn carried(&self, request: u64, response: u64) {
        self.request_bytes.fetch_add(request, Ordering::Relaxed);
        self.response_bytes.fetch_add(response, Ordering::Relaxed);
    }

    /// An exchange was begun; [`Usage::done`] follows.
    pub(super) fn begun(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// Its bytes are counted.
    pub(super) fn done(&self) {
        self.under_way.fetch_sub(1, Ordering::Release);
    }

    /// Whether exchanges are open whose bytes are not counted yet.
    pub fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// The counts so far.
    pub fn so_far(&self) -> Used {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = count(&self.requests);
        let moment = |at: &AtomicI64| {
            (requests > 0).then(|| Timestamp::from_millis(at.load(Ordering::Relaxed)))
        };
        Used {
            requests,
            reads: count(&self.reads),
            changes: count(&self.changes),
            refusals: count(&self.refusals),
            request_bytes: count(&self.request_bytes),
            response_bytes: count(&self.response_bytes),
            first: moment(&self.first),
            last: moment(&self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let usage = Usage::default();
        assert_eq!(usage.so_far(), Used::default());
        let at = Timestamp::from_millis;
        assert_eq!((usage.request(at(5)), usage.request(at(9))), (1, 2));
        usage.forwarded(false);
        usage.forwarded(true);
        usage.refused();
        usage.carried(3, 4);
        usage.carried(0, 1);
        let want = Used {
            requests: 2,
            reads: 1,
            changes: 1,
            refusals: 1,
            request_bytes: 3,
            response_bytes: 5,
            first: Some(at(5)),
            last: Some(at(9)),
        };
        assert_eq!(usage.so_far(), want);
        let after = Usage::since(want);
        assert_eq!(after.so_far(), want);
        assert_eq!(after.request(at(12)), 3);
        assert_eq!(after.so_far().first, Some(at(5)));
    }
}
