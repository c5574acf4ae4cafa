//! What policy says of a request for access.

use crate::model::Needs;

/// The rule that denies where no other says anything.
pub(super) const DEFAULT_DENY: &str = "default-deny";
/// The rule that keeps workloads from break-glass, whatever is written.
pub(super) const WORKLOAD_EMERGENCY: &str = "workload-break-glass";

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
