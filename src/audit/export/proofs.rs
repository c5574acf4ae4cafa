//! Inclusion proofs of records (RFC 6962 §2.1.1), as a package carries them: a line a record.

use super::error::ExportError;
use crate::audit::tail::Entry;
use crate::audit::tree::{LogError, Proofs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Proofs against one checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Proven {
    /// The signed note.
    pub checkpoint: Vec<u8>,
    pub records: Vec<Proof>,
}

/// That one record is a leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The record.
    pub seq: u64,
    /// The leaf that it is.
    pub index: u64,
    /// Hashes from the leaf's sibling to the root's child, in base64.
    pub path: Vec<String>,
}

impl Proven {
    /// The proofs of those records that the tree's checkpoint covers; `None` where there is no checkpoint.
    pub(super) fn of(
        proofs: Result<Proofs, LogError>,
        entries: &[Entry],
    ) -> Result<Option<Self>, ExportError> {
        let proofs = match proofs {
            Ok(proofs) => proofs,
            Err(LogError::Absent { .. }) => return Ok(None),
            Err(why) => return Err(why.into()),
        };
        let mut proven = Self {
            checkpoint: proofs.checkpoint().bytes(),
            records: Vec::new(),
        };
        for entry in entries {
            let seq = entry.sequence;
            if proofs.index_of(seq)?.is_none() {
                continue;
            }
            let inclusion = proofs.inclusion(seq)?;
            proven.records.push(Proof {
                seq,
                index: inclusion.index,
                path: inclusion
                    .hashes
                    .iter()
                    .map(|hash| STANDARD.encode(hash.0))
                    .collect(),
            });
        }
        Ok(Some(proven))
    }
}
