//! What a session keeps so that its requests need no signature each.

use super::exchange::Exchanger;
use super::mint::Slot;
use super::tokens::Tokens;
use crate::model::Timestamp;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

/// Header fields ready to be set.
pub(super) type Ready = Arc<[(HeaderName, HeaderValue)]>;

/// Upstreams of one app, and leftovers of former configurations; beyond that the oldest goes.
const MAX_ENTRIES: usize = 16;

/// One for each session, kept beside it and dropped with it. Starts empty.
#[derive(Default)]
pub struct IdentityCache {
    entries: Mutex<Vec<Entry>>,
    slots: Mutex<Vec<(u64, Arc<Slot>)>>,
    exchanges: Mutex<Vec<(u64, Exchanging)>>,
}

/// An exchange with its way to the server, which may be of a former configuration.
type Exchanging = (Arc<Exchanger>, Arc<Tokens>);

struct Entry {
    identity: u64,
    fields: Ready,
    until: Timestamp,
}

impl IdentityCache {
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of that identity if they still hold at `now`.
    pub(super) fn ready(&self, identity: u64, now: Timestamp) -> Option<Ready> {
        let entries = self.entries.lock();
        let entry = entries.iter().find(|entry| entry.identity == identity)?;
        (now < entry.until).then(|| Arc::clone(&entry.fields))
    }

    pub(super) fn put(&self, identity: u64, fields: Ready, until: Timestamp) {
        let mut entries = self.entries.lock();
        entries.retain(|entry| entry.identity != identity);
        if entries.len() >= MAX_ENTRIES {
            entries.remove(0);
        }
        entries.push(Entry {
            identity,
            fields,
            until,
        });
    }

    /// The state of that identity's minted session.
    pub(super) fn slot(&self, identity: u64) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        if let Some((_, slot)) = slots.iter().find(|(id, _)| *id == identity) {
            return Arc::clone(slot);
        }
        if slots.len() >= MAX_ENTRIES {
            slots.remove(0);
        }
        let slot = Arc::new(Slot::default());
        slots.push((identity, Arc::clone(&slot)));
        slot
    }

    /// The tokens of that identity. None is forgotten before the session is over: each has to be revoked.
    pub(super) fn tokens(&self, identity: u64, exchanger: &Arc<Exchanger>) -> Arc<Tokens> {
        let mut exchanges = self.exchanges.lock();
        if let Some((_, (_, tokens))) = exchanges.iter().find(|(id, _)| *id == identity) {
            return Arc::clone(tokens);
        }
        let tokens = Arc::new(Tokens::default());
        let made = (Arc::clone(exchanger), Arc::clone(&tokens));
        exchanges.push((identity, made));
        tokens
    }

    pub(super) fn all_tokens(&self) -> Vec<Exchanging> {
        let exchanges = self.exchanges.lock();
        exchanges.iter().map(|(_, made)| made.clone()).collect()
    }
}

impl fmt::Debug for IdentityCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityCache")
            .field("entries", &self.entries.lock().len())
            .finish_non_exhaustive()
    }
}
