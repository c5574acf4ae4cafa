//! Somebody as their proof says: what a login keeps. What the configuration gives them is added at each use.

use super::seats::seats;
use super::settings::RoleRow;
use crate::model::{Caller, OperatorKind, Proof};

/// A person, proved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Identified {
    /// Lower-cased: several accounts of one human being are one person.
    pub(super) person: String,
    /// `<issuer>|<sub>`.
    pub(super) account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) proof: Proof,
}

impl Identified {
    pub(super) fn caller(self, roles: &[RoleRow]) -> Caller {
        Caller {
            seats: seats(&self.groups, roles),
            person: self.person,
            account: self.account,
            name: self.name,
            kind: OperatorKind::Human,
            groups: self.groups,
            proof: self.proof,
        }
    }
}
