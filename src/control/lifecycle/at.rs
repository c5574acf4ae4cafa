//! A request by its id and, where somebody says which they saw, only at that version.

use crate::control::refusal::{Kind, Refusal};
use crate::model::{AccessRequest, RequestId};

/// Which request, and how it must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub id: RequestId,
    /// `None`: whatever version is there.
    pub version: Option<i64>,
}

impl From<RequestId> for At {
    fn from(id: RequestId) -> Self {
        Self { id, version: None }
    }
}

impl At {
    /// Whether `request`, as it is stored now, is the one that was seen.
    pub(super) fn holds(self, request: &AccessRequest) -> Result<(), Refusal> {
        match self.version {
            Some(version) if version != request.version => Err(Refusal::new(
                Kind::Stale,
                "stale",
                "The request has changed since you read it.",
            )),
            _ => Ok(()),
        }
    }
}
