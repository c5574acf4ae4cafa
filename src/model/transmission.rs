//! A security event that waits to be told to one receiver outside: a support session ended.

use super::{EndCause, Timestamp};

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransmissionState {
    Waiting,
    /// The receiver acknowledged it.
    Taken,
    /// Given up after the configured time; itself recorded.
    Failed,
}

impl TransmissionState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Failed => "failed",
        }
    }
}

/// One event for one receiver.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Transmission {
    /// The event's `jti`: `<session>.<receiver>`, the same for each attempt and after a crash, so that a receiver can
    /// tell a repetition.
    pub id: String,
    /// The receiver's name in the configuration.
    pub receiver: String,
    pub session: String,
    pub grant: String,
    pub app: String,
    pub tenant: String,
    pub operator: String,
    pub subject: String,
    pub ticket: String,
    /// Why the session ended, and by whom.
    pub cause: EndCause,
    pub by: String,
    pub ended_at: Timestamp,
    pub state: TransmissionState,
    pub attempts: u32,
    pub next_at: Timestamp,
    pub version: i64,
}
