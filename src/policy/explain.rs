//! `policy explain`: the rows tried, the one that decided, and why.

use super::load::Policy;
use super::verdict::Why;
use crate::model::{Effect, Scope, Tier};
use std::fmt;

/// A request and a grant to explain.
#[derive(Clone, Debug, Default)]
pub struct ExplainQuery {
    /// Empty: the rows for all apps only.
    pub app: String,
    /// `POST /account/mfa/reset?x=1`.
    pub request: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub websocket: bool,
    pub scopes: Vec<Scope>,
    pub operator: String,
    pub subject: String,
    pub tenant: String,
    pub ticket: String,
    pub approvals: Vec<String>,
    pub break_glass: bool,
    pub client: Option<std::net::IpAddr>,
    /// Milliseconds since 1970; `None`: now.
    pub now: Option<crate::model::Timestamp>,
}

/// One row, and whether it matched.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tried {
    pub rule: String,
    /// `allow`, `deny`, `read-only`.
    pub effect: String,
    /// `file:line`; `built-in pack`.
    pub place: String,
    /// `None`: it matched.
    pub miss: Option<String>,
    pub decided: bool,
}

/// The whole story of one decision. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    pub request: String,
    pub effect: Effect,
    pub rule: String,
    pub action: String,
    pub resource: String,
    pub tier: Tier,
    pub message: Option<String>,
    pub why: Why,
    /// Why, in a sentence.
    pub because: String,
    /// In the order of trying; rows of quite another path are only counted.
    pub tried: Vec<Tried>,
    pub others: usize,
    pub digest: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)
    }
}

/// Explains one request. `Err`: the query itself makes no sense (no method, no path).
pub fn explain(_policy: &Policy, _query: &ExplainQuery) -> Result<Explanation, String> {
    Err("the next commit".to_owned())
}
