//! What a writer remembers while the disk refuses.

use crate::model::{ExchangeId, Timestamp};

/// An outage: since when, why, and what became of records meanwhile.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) since: Timestamp,
    pub(super) refused: u64,
    pub(super) queued: u64,
    pub(super) lost: u64,
    pub(super) cause: String,
}

/// A record that waits for the disk.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) body: Box<[u8]>,
    pub(super) change: Change,
}

/// What a record does to the set of open exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opens(ExchangeId),
    Closes(ExchangeId),
}
