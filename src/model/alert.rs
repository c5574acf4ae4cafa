//! An alert that must reach people, and whether it did.

use super::{AlertId, Timestamp};

/// Where an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// No channel took it yet.
    Waiting,
    /// At least one channel took it; those that did not are tried again.
    Taken,
    /// Every channel that it was for took it, or the rest was given up.
    Settled,
    /// No channel took it within the configured time; itself recorded.
    Failed,
}

impl AlertState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Settled => "settled",
            Self::Failed => "failed",
        }
    }

    /// Whether it is still sent.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Taken)
    }
}

/// Something that people outside must hear of at once.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alert {
    pub id: AlertId,
    /// The machine's word: `break-glass.activated`, `review.overdue`, `workload.shared`.
    pub kind: String,
    pub severity: String,
    /// One sentence for people.
    pub summary: String,
    pub app: String,
    pub tenant: String,
    pub operator: String,
    /// Further members, all texts.
    pub details: Vec<(String, String)>,
    pub at: Timestamp,
    pub state: AlertState,
    /// Channels that took it.
    #[serde(default)]
    pub taken_by: Vec<String>,
    pub attempts: u32,
    pub next_at: Timestamp,
    pub version: i64,
}
