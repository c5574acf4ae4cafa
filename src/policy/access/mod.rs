//! Who may ask for what: Cedar policies decide on each request for access, in real time. Deny by default; a tenant's own
//! rules can only tighten. `docs/access.md` tells how to write them.

use crate::model::{Needs, OperatorKind, Scope, SubjectClass, Tier};
use std::time::Duration;

/// What is known of a request when it is decided.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub person: &'a str,
    pub groups: &'a [String],
    pub kind: OperatorKind,
    pub app: &'a str,
    pub tenant: &'a str,
    pub subject: &'a str,
    pub class: SubjectClass,
    pub scopes: &'a [Scope],
    /// The worst that the scopes allow, by route policy.
    pub tier: Tier,
    pub duration: Duration,
    pub has_ticket: bool,
    pub reason_code: &'a str,
    pub emergency: bool,
    /// Hour of the day and day of the week (1 is Monday) in the configured time zone.
    pub hour: u8,
    pub weekday: u8,
    /// Inside one of the configured change windows of the app or tenant.
    pub change_window: bool,
}

/// What policy says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With the policies that decided and words for the operator.
    Deny {
        rules: Vec<String>,
        message: String,
    },
    Allow(Needs),
}

/// The policies that decide on requests for access.
#[derive(Debug, Default)]
pub struct AccessPolicy {
    digest: String,
}

impl AccessPolicy {
    /// SHA-256 (hex) over all sources.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Decides. Without a policy that permits: deny.
    pub fn decide(&self, _facts: &Facts<'_>) -> Answer {
        Answer::Deny {
            rules: vec!["default-deny".to_owned()],
            message: "No policy allows this.".to_owned(),
        }
    }
}
