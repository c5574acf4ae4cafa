//! What the policy said of one request, and why.

use super::websocket::WsRules;
use crate::model::{Decision, Effect, Findings, Record};
use std::sync::Arc;

/// The rules that are no row's.
pub(super) const RULES: [&str; 6] = [
    "default-deny",
    "ambiguous",
    "body-unreadable",
    "body-too-large-to-judge",
    "method-override",
    "persisted-unknown",
];

/// The decision and what goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub decision: Decision,
    pub why: Why,
    /// How much the deciding row wants recorded; `None`: as the tier says.
    pub record: Option<Record>,
    /// The rules for the messages, where a WebSocket was permitted.
    pub websocket: Option<Arc<WsRules>>,
    /// What the query or body holds that is not canonical and that no row relaxes
    /// (`Reason::MethodOverride` for a `_method` parameter): never empty on a permit, and a reason
    /// to answer 400 rather than 403.
    pub findings: Findings,
    /// The other decisions, where one request carries several GraphQL operations or root fields.
    pub also: Vec<Decision>,
}

impl Verdict {
    pub fn is_permit(&self) -> bool {
        self.decision.effect == Effect::Permit
    }
}

/// Why a verdict came out as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The most specific allow row, and a scope of the grant carries its action.
    Allowed,
    /// No allow row matches.
    Unlisted,
    /// A deny row of the policy's own, or a `read-only` row and a method that is not safe.
    DenyRow,
    /// A row of the built-in pack.
    Pack,
    /// No scope of the grant carries the action of the deciding row.
    OutOfScope,
    /// The deciding row is for break-glass grants only.
    BreakGlassOnly,
    /// The deciding row is for ordinary grants only: it is marked `never`.
    NeverInBreakGlass,
    /// The deciding row's `when` does not hold.
    Condition,
    /// A `forbid` of a `.cedar` file.
    Forbid,
    /// A condition could not be evaluated.
    ConditionFailed,
    /// Two parsers could read a parameter, field or header differently.
    Ambiguous,
    /// The body is malformed or of a kind that the matchers cannot read.
    Unreadable,
    /// The body is larger than what may be buffered to judge it.
    TooLarge,
    /// `_method` asks for another method.
    MethodOverride,
    /// A persisted GraphQL query that the policy does not know.
    UnknownPersisted,
}

impl Why {
    /// A sentence for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Allowed => {
                "the most specific matching row allows it and a scope of the grant carries its action"
            }
            Self::Unlisted => "no allow row matches, and what is not listed is denied",
            Self::DenyRow => "a deny row matches, and deny wins",
            Self::Pack => "a row of the built-in pack matches, and deny wins",
            Self::OutOfScope => "no scope of the grant carries the action",
            Self::BreakGlassOnly => "the row is for break-glass grants only",
            Self::NeverInBreakGlass => {
                "the row is never for break-glass: it needs a request of its own"
            }
            Self::Condition => "the row's condition (when) does not hold",
            Self::Forbid => "a forbid policy in a .cedar file applies",
            Self::ConditionFailed => "a condition could not be evaluated, which denies",
            Self::Ambiguous => "two parsers could read the request differently",
            Self::Unreadable => "the body cannot be read as what the rows judge",
            Self::TooLarge => "the body is too large to judge",
            Self::MethodOverride => "a parameter asks for another method than the request's own",
            Self::UnknownPersisted => "the policy does not know this persisted GraphQL query",
        }
    }
}
