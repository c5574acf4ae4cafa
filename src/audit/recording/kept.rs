//! What the closing record says of an exchange's recording.

use super::digest::Digest;
use crate::model::Record;

/// What is on the tape of one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub record: Record,
    /// Part and frame of its first head, and of its last.
    pub first: Spot,
    pub last: Spot,
    /// Of the true bodies, where they are known.
    pub request_sha256: Option<Digest>,
    pub received_sha256: Option<Digest>,
    pub shown_sha256: Option<Digest>,
    /// What is missing.
    pub lost_bytes: u64,
    pub lost_messages: u64,
    /// Why something is missing; empty where nothing is.
    pub why: String,
}

/// A place in a session's tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub part: u32,
    pub frame: u64,
}
