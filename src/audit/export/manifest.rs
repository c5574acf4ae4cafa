//! What a package says of itself: its files and their digests, its records, and who made it why.

use crate::audit::tree::LogKey;
use crate::model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The form of packages that this program writes and reads.
pub(super) const FORMAT: &str = "locum-package/1";
/// The first line of the note that is signed over a manifest: no checkpoint's, whose first line is a log's origin.
const NOTE: &str = "locum-package/1 manifest";

/// Where things are in a package.
pub(super) mod name {
    pub(in super::super) const MANIFEST: &str = "manifest.json";
    pub(in super::super) const NOTE: &str = "manifest.note";
    pub(in super::super) const PAGE: &str = "index.html";
    pub(in super::super) const REQUEST: &str = "request.json";
    pub(in super::super) const VOTES: &str = "votes.json";
    pub(in super::super) const GRANT: &str = "grant.json";
    pub(in super::super) const HISTORY: &str = "history.json";
    pub(in super::super) const RECORDS: &str = "records.jsonl";
    pub(in super::super) const CHECKPOINT: &str = "proofs/checkpoint";
    pub(in super::super) const PROOFS: &str = "proofs/inclusion.jsonl";
    pub(in super::super) const TENANT_CHECKPOINT: &str = "proofs/tenant/checkpoint";
    pub(in super::super) const TENANT_PROOFS: &str = "proofs/tenant/inclusion.jsonl";
    pub(in super::super) const WARC: &str = "recording/session.warc.gz";
    pub(in super::super) const HAR: &str = "recording/session.har";
}

/// `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) session: String,
    pub(super) tenant: String,
    pub(super) made: MadeBy,
    /// Sequence numbers of all records in it.
    pub(super) records: Vec<u64>,
    /// Those that no checkpoint covered yet when it was made.
    pub(super) unproved: Vec<u64>,
    /// Exchanges that were open when it was made: they have no closing record.
    pub(super) open: Vec<String>,
    /// `whole`, or why there is none.
    pub(super) recording: String,
    /// The log's verifier keys as its maker knew them: a hint. Whoever checks takes them from elsewhere.
    pub(super) keys: Vec<String>,
    pub(super) files: Vec<Listed>,
}

/// Who made it, when, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MadeBy {
    pub(super) at: String,
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) locum: String,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Who asks for an export, and why.
#[derive(Clone, Debug)]
pub struct Made {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
}

impl From<&Made> for MadeBy {
    fn from(made: &Made) -> Self {
        Self {
            at: made.at.to_string(),
            by: made.by.clone(),
            reason: made.reason.clone(),
            locum: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The text that is signed: what it is, which session, and the SHA-256 of the manifest's bytes.
pub(super) fn note_text(session: &str, manifest: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, manifest);
    format!("{NOTE}\n{session}\n{}\n", STANDARD.encode(digest))
}

/// Signs it as a note (C2SP signed-note).
pub(super) fn sign(
    session: &str,
    manifest: &[u8],
    keys: &[LogKey],
) -> Result<Vec<u8>, crate::audit::tree::LogError> {
    LogKey::sign_text(keys, &note_text(session, manifest))
}
