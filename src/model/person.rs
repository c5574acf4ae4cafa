//! Who is asking: a person or a workload, what they may do here, and how they proved who they are.

use super::{OperatorKind, Timestamp};

/// What somebody may do in the control plane.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May ask for access and use what was granted.
    Operator,
    /// May agree to requests.
    Approver,
    /// May end sessions, lock, certify break-glass.
    Security,
    /// May read everything.
    Auditor,
    /// May register workloads and change Locum's own settings.
    Admin,
    /// Of the customer: reads what support did in their own accounts, and may end it.
    TenantAuditor,
    /// Pre-authorised for emergencies; separate from [`Role::Operator`].
    BreakGlass,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::Operator,
        Self::Approver,
        Self::Security,
        Self::Auditor,
        Self::Admin,
        Self::TenantAuditor,
        Self::BreakGlass,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Security => "security",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
            Self::TenantAuditor => "tenant-auditor",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// Which tenants or apps a seat is good for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    All,
    Only(Vec<String>),
}

impl Reach {
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|it| it == name),
        }
    }
}

/// A role that somebody has, and where it is good.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seat {
    pub role: Role,
    pub tenants: Reach,
    pub apps: Reach,
    /// The group that gave it, for records.
    pub group: String,
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    Oidc,
    /// An access proxy's signed assertion.
    Assertion,
    /// A demo persona; only on loopback.
    Demo,
    /// A client certificate (X.509-SVID).
    Mtls,
    /// A workload's JWT.
    Jwt,
}

/// What the proof of identity says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Proof {
    pub method: Method,
    /// When they authenticated (`auth_time`), not when the token was made.
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default)]
    pub amr: Vec<String>,
}

/// Somebody who calls the control plane, as their proof of identity and the configuration say. Holds no authority over
/// any customer: that is a grant's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Caller {
    /// The same for every account of one human being: votes and duties are counted by it.
    pub person: String,
    /// The account that signed in: `<issuer>|<sub>`, a SPIFFE id.
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub kind: OperatorKind,
    pub groups: Vec<String>,
    pub seats: Vec<Seat>,
    pub proof: Proof,
}

impl Caller {
    /// What people call them.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.person)
    }

    /// Whether they have the role anywhere.
    pub fn is(&self, role: Role) -> bool {
        self.seats.iter().any(|seat| seat.role == role)
    }

    /// Whether they have the role for this tenant and this app.
    pub fn may(&self, role: Role, tenant: &str, app: &str) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.role == role && seat.tenants.covers(tenant) && seat.apps.covers(app))
    }

    /// Whether any of their seats lets them know that this tenant's things in this app exist.
    pub fn sees(&self, tenant: &str, app: &str) -> bool {
        self.seats.iter().any(|seat| {
            !matches!(seat.role, Role::Operator | Role::BreakGlass)
                && seat.tenants.covers(tenant)
                && seat.apps.covers(app)
        })
    }
}
