//! A decision: Permit or Deny, and the rule that decided, under one policy version.

use std::sync::Arc;

/// The outcome for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Permit,
    Deny,
}

/// How much an action can hurt; approvals and recording follow it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    #[default]
    Ordinary,
    Sensitive,
    Privileged,
}

impl Tier {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Sensitive => "sensitive",
            Self::Privileged => "privileged",
        }
    }
}

/// What the policy said of one request. Cheap to clone: shared strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub effect: Effect,
    /// The row's id, or `default-deny`.
    pub rule: Arc<str>,
    /// What the route means (`orders.read`); `unlisted` where no row matched.
    pub action: Arc<str>,
    /// The row's resource template, filled (`order:17`); empty where the row has none.
    pub resource: Arc<str>,
    pub tier: Tier,
    /// The row's own words for the operator, where it has some.
    pub message: Option<Arc<str>>,
}
