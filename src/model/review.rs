//! The after-action review of a break-glass session, by somebody who neither used nor approved it.

use super::{GrantId, ReviewId, SessionId, Timestamp};

/// Where a review is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewState {
    /// The session is still open, or its review has not been written.
    Due,
    /// Justified; the operator may break glass again.
    Certified,
    /// Not justified; the operator stays barred until an admin clears it by another review.
    Rejected,
}

impl ReviewState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Certified => "certified",
            Self::Rejected => "rejected",
        }
    }
}

/// One review.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Review {
    pub id: ReviewId,
    pub grant: GrantId,
    pub session: SessionId,
    pub app: String,
    pub tenant: String,
    pub subject: String,
    pub incident: String,
    pub reason: String,
    /// The person who broke the glass.
    pub operator: String,
    /// Who agreed to it, if anybody did.
    pub approvers: Vec<String>,
    pub opened_at: Timestamp,
    /// Later than this it is overdue, and escalates.
    pub due_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_at: Option<Timestamp>,
    pub state: ReviewState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<Timestamp>,
    /// What the reviewer found that was touched, and whether it was justified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    #[serde(default)]
    pub follow_ups: Vec<String>,
    pub version: i64,
}

impl Review {
    /// Whether it still bars its operator from breaking glass.
    pub fn bars(&self) -> bool {
        self.state != ReviewState::Certified
    }
}
