//! The first phase: the rows that a request's head can match.

use super::facts::{Facts, GrantFacts};
use super::load::Policy;
use super::scan::OverrideScan;
use super::verdict::{Verdict, Why};
use crate::model::{Decision, Effect, Findings, Tier};

/// What must be buffered before [`Routed::decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyNeed {
    /// Form fields are matched.
    pub form: bool,
    /// JSON fields are matched.
    pub json: bool,
    /// GraphQL operations are read.
    pub graphql: bool,
    /// Bytes to buffer; a longer body is passed to `decide` as `None`.
    pub max_bytes: usize,
}

/// The candidates for one request. `Send`, so that the body may be awaited while it is held.
pub struct Routed<'a> {
    #[allow(dead_code)]
    policy: &'a Policy,
    #[allow(dead_code)]
    facts: &'a Facts<'a>,
}

impl Policy {
    /// Finds the candidate rows by app, method and path.
    pub fn route<'a>(&'a self, facts: &'a Facts<'a>) -> Routed<'a> {
        Routed {
            policy: self,
            facts,
        }
    }
}

impl Routed<'_> {
    /// The canonical-request reasons that this route tolerates.
    pub fn relaxed(&self) -> Findings {
        Findings::NONE
    }

    /// What of the body must be buffered to decide; `None`: decide at once.
    pub fn body_need(&self) -> Option<BodyNeed> {
        None
    }

    /// A scanner for `_method` in a form body that streams by; `None` where nothing is to be scanned.
    pub fn override_scan(&self) -> Option<OverrideScan> {
        None
    }

    /// Decides. `body`: all of it where [`Routed::body_need`] asked for one (empty if there is none),
    /// `None` where it was larger than `max_bytes`; ignored where nothing was asked for.
    pub fn decide(&self, _grant: &GrantFacts<'_>, _body: Option<&[u8]>) -> Verdict {
        Verdict {
            decision: Decision {
                effect: Effect::Deny,
                rule: "default-deny".into(),
                action: "unlisted".into(),
                resource: "".into(),
                tier: Tier::Ordinary,
                message: None,
            },
            why: Why::Unlisted,
            websocket: None,
            findings: Findings::NONE,
            also: Vec::new(),
        }
    }
}
