//! Answers that are good for a moment, so that a form that checks as one types does not ask for each letter.

use super::mapping::Told;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What was told of tickets lately. Failures are not kept.
#[derive(Debug)]
pub(super) struct Cache {
    ttl: Duration,
    entries: usize,
    known: Mutex<HashMap<String, (Instant, Told)>>,
}

impl Cache {
    pub(super) fn new(ttl: Duration, entries: usize) -> Self {
        Self {
            ttl,
            entries,
            known: Mutex::default(),
        }
    }

    pub(super) fn get(&self, ticket: &str) -> Option<Told> {
        let known = self.known.lock();
        let (at, told) = known.get(ticket)?;
        (at.elapsed() < self.ttl).then(|| told.clone())
    }

    pub(super) fn put(&self, ticket: &str, told: &Told) {
        if self.ttl.is_zero() || self.entries == 0 {
            return;
        }
        let mut known = self.known.lock();
        if known.len() >= self.entries {
            known.retain(|_, (at, _)| at.elapsed() < self.ttl);
        }
        if known.len() >= self.entries {
            known.clear();
        }
        known.insert(ticket.to_owned(), (Instant::now(), told.clone()));
    }

    /// Forgets a ticket that is said to have changed.
    pub(super) fn forget(&self, ticket: &str) {
        let mut known = self.known.lock();
        known.retain(|key, _| !key.eq_ignore_ascii_case(ticket));
    }
}
