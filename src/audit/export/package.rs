//! What a package is made of. `docs/evidence.md` walks through one.

use super::facts::Facts;
use super::manifest::Made;
use super::proofs::Proven;
use crate::audit::recording::Tape;
use crate::audit::tail::Entry;
use crate::audit::tree::LogKey;
use serde_json::Value;

/// What the control plane knows of a session, as JSON; empty where nobody kept it.
#[derive(Clone, Debug, Default)]
pub struct Dossier {
    pub request: Option<Value>,
    pub votes: Vec<Value>,
    pub grant: Option<Value>,
    /// Steps of the control plane, oldest first.
    pub history: Vec<Value>,
}

/// What a package is made of.
#[derive(Debug)]
pub struct Package<'a> {
    pub facts: &'a Facts,
    pub dossier: &'a Dossier,
    pub entries: &'a [Entry],
    /// `Err`: why there is no recording in it.
    pub tape: Result<&'a Tape, String>,
    /// Against the whole tree and the tenant's; `None` where the journal has no checkpoint yet.
    pub whole: Option<&'a Proven>,
    pub tenant: Option<&'a Proven>,
    pub made: &'a Made,
    /// Sign the manifest; without any it says that nobody vouches for what was left out.
    pub keys: &'a [LogKey],
    /// The longest body that the HAR has. Bytes.
    pub max_body: usize,
}
