//! The log of the journal: a Merkle tree over its records, whose heads are signed.
//!
//! ```text
//! segment files ─ notary ─ tree ─┬─ tiles
//!                                └─ checkpoint ─ witnesses ─ published
//! ```
//!
//! A leaf is the hash of a record, so that tiles tell nothing of the records. Each tenant has a tree of its own records
//! beside the whole one. `docs/journal.md` states the format.

mod anew;
mod check;
mod counters;
mod disk;
mod edge;
mod error;
mod follow;
mod kept;
mod key;
mod layout;
mod notary;
mod note;
mod proofs;
mod running;
mod seqs;
mod serve;
mod settings;
mod text;
mod tiles;
#[allow(clippy::module_inception)] // the one tree, beside what is made of it
mod tree;
mod witness;

pub use check::{Saved, check_export};
pub(super) use check::{Stands, Trees};
pub use counters::LogCounters;
pub use error::LogError;
pub use key::LogKey;
pub use note::{Distrust, Signed, VerifierKey, VerifierKeys};
pub use proofs::{Consistency, Inclusion, Proofs};
pub use running::origin_of;
pub(super) use running::{Running, check, start};
pub use serve::published;
pub use settings::{LogSettings, OnLag, WitnessSettings};
pub use tlog_tiles::Hash;

#[cfg(test)]
mod tests;
