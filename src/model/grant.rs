//! A grant: who may stand in for whom, where, for what, why and until when.

use super::{GrantId, Scope, Timestamp};

/// Who acts. RFC 8693 `act`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Operator {
    /// Stable and unique at the issuer: an e-mail address, a SPIFFE id.
    pub id: String,
    /// What people call them; shown in the banner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub kind: OperatorKind,
}

/// A person or a program; programs get a stricter control model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatorKind {
    #[default]
    Human,
    Workload,
}

/// The customer's user that the operator stands in for. RFC 8693 `sub`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Subject {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The customer organisation or environment that the subject belongs to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tenant {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The authority behind a session. Never changed after it was made: renewal is a new grant.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    pub id: GrantId,
    /// The app's name in the configuration; a grant is good for one app only.
    pub app: String,
    pub operator: Operator,
    pub subject: Subject,
    pub tenant: Tenant,
    /// Sorted, without duplicates.
    pub scopes: Vec<Scope>,
    pub ticket: String,
    pub reason: String,
    /// Who agreed, in order; empty where the admin's tool or an external issuer made the grant.
    #[serde(default)]
    pub approvals: Vec<String>,
    pub break_glass: bool,
    pub not_before: Timestamp,
    pub expires_at: Timestamp,
    pub issued_at: Timestamp,
    /// `cli:<user>` or `issuer:<iss>`.
    pub issued_by: String,
    /// The external token's `jti`, so that it can be revoked and is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Requests that its session may send; `None`: any number. Workloads have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
}

impl Grant {
    /// Whether the grant's own time window holds at `now`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.expires_at
    }

    /// What the banner calls the operator.
    pub fn operator_label(&self) -> &str {
        self.operator.name.as_deref().unwrap_or(&self.operator.id)
    }

    /// What the banner calls the tenant.
    pub fn tenant_label(&self) -> &str {
        self.tenant.name.as_deref().unwrap_or(&self.tenant.id)
    }
}
