//! A registered workload: automation or an AI agent, with an owner and an end.

use super::{Scope, Timestamp};

/// An entry of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Workload {
    /// Its SPIFFE id, or `<issuer>|<sub>` of its JWT. Also its id in records.
    pub id: String,
    /// The person who answers for it.
    pub owner: String,
    pub system: String,
    pub purpose: String,
    /// The exact actions and scopes that it may ask for.
    pub scopes: Vec<Scope>,
    pub apps: Vec<String>,
    pub tenants: Vec<String>,
    /// Requests that it may send in one session.
    pub budget: u64,
    /// Lapsed after this: refused.
    pub renew_by: Timestamp,
    pub registered_at: Timestamp,
    pub registered_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// The address prefixes that it was lately used from: more than one at a time is shared use.
    #[serde(default)]
    pub places: Vec<Place>,
    #[serde(default)]
    pub disabled: bool,
    pub version: i64,
}

/// Where a workload was used from, and when last.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub network: String,
    pub at: Timestamp,
}

impl Workload {
    /// Why it may not act at `now`, if so.
    pub fn lapsed(&self, now: Timestamp) -> Option<&'static str> {
        match self {
            it if it.disabled => Some("workload.disabled"),
            it if it.owner.trim().is_empty() => Some("workload.ownerless"),
            it if now >= it.renew_by => Some("workload.lapsed"),
            _ => None,
        }
    }
}
