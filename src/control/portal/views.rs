//! What the portal asks of the rest of the product by contract, so that pages need to know neither the journal's files
//! nor how the route policy is held.

use crate::control::desk::Answer;
use crate::model::{Scope, Timestamp};
use crate::policy::{Explanation, RowInfo};
use std::path::PathBuf;
use std::sync::Arc;

/// What to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    pub app: String,
    /// `POST /account/mfa/reset`.
    pub request: String,
    pub scopes: Vec<String>,
    pub emergency: bool,
}

/// The route policy as it decides now.
pub trait PolicyView: Send + Sync {
    /// SHA-256 over its files.
    fn digest(&self) -> String;
    fn rows(&self) -> Vec<RowInfo>;
    /// `Err`: the question itself makes no sense.
    fn explain(&self, query: &Explain) -> Result<Explanation, String>;
    /// The scopes of this app that carry an action.
    fn carrying(&self, app: &str, action: &str) -> Vec<Scope>;
    /// Whether a scope is good in break-glass grants only.
    fn is_for_emergencies(&self, app: &str, scope: &Scope) -> bool;
}

/// One thing of a session that the journal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub at: Timestamp,
    pub exchange: String,
    pub method: String,
    pub path: String,
    pub action: String,
    pub resource: String,
    pub rule: String,
    /// What the client got; 0 while it is open.
    pub status: u16,
    /// A document that a person went to, under the banner.
    pub is_page: bool,
    pub outcome: Outcome,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Read,
    /// It was permitted, and not a safe method.
    Changed,
    Refused,
}

/// All that the journal tells of one session, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub exchanges: Vec<Exchange>,
    /// There is more than was read.
    pub cut: bool,
}

/// Reads the journal.
pub trait SessionRecords: Send + Sync {
    /// What happened in one session since it began.
    fn of<'a>(&'a self, session: &'a str, since: Timestamp)
    -> Answer<'a, Result<Recorded, String>>;
}

/// The journal whose log is shown; none where there is no log.
#[derive(Clone, Debug, Default)]
pub struct LogOf(pub Option<PathBuf>);

/// All of them, as the composition root has them.
#[derive(Clone)]
pub struct Views {
    pub policy: Arc<dyn PolicyView>,
    pub records: Arc<dyn SessionRecords>,
    /// The log that is shown to those who follow it.
    pub log: LogOf,
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Views")
    }
}

impl Default for Views {
    /// Nothing to see: pages say so.
    fn default() -> Self {
        Self {
            policy: Arc::new(Nothing),
            records: Arc::new(Nothing),
            log: LogOf::default(),
        }
    }
}

struct Nothing;

impl PolicyView for Nothing {
    fn digest(&self) -> String {
        String::new()
    }

    fn rows(&self) -> Vec<RowInfo> {
        Vec::new()
    }

    fn explain(&self, _query: &Explain) -> Result<Explanation, String> {
        Err("no route policy is at hand here".to_owned())
    }

    fn carrying(&self, _app: &str, _action: &str) -> Vec<Scope> {
        Vec::new()
    }

    fn is_for_emergencies(&self, _app: &str, _scope: &Scope) -> bool {
        false
    }
}

impl SessionRecords for Nothing {
    fn of<'a>(
        &'a self,
        _session: &'a str,
        _since: Timestamp,
    ) -> Answer<'a, Result<Recorded, String>> {
        Box::pin(async { Err("no journal is at hand here".to_owned()) })
    }
}
