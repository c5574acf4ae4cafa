//! A change of Locum's own rules that waits for people to agree: what would be in force, by its digest, and who answered.

use super::{ChangeId, Timestamp, Verdict};

/// Where a change is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeState {
    /// Waits for votes.
    Pending,
    /// Enough people agreed; it takes effect with the reload, or the start, that brings it.
    Agreed,
    /// In force, or it was.
    Taken,
    Denied,
    Expired,
    /// The files became others before it was in force.
    Void,
}

impl ChangeState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Agreed => "agreed",
            Self::Taken => "taken",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }

    /// Whether it may still come into force.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Agreed)
    }
}

/// How it came before Locum, and so how it comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Brought {
    /// SIGHUP: agreed, it is read at once.
    Reload,
    /// A start, which was refused: agreed, the next start may have it.
    Start,
}

impl Brought {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Start => "start",
        }
    }
}

/// One person's answer. A change never changes: another digest is another change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChangeVote {
    pub person: String,
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub verdict: Verdict,
    /// Needed for a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// Other rules than those in force, as somebody brought them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    pub id: ChangeId,
    /// [`super::Manifest::digest`] of what would be in force. Votes are on it.
    pub digest: String,
    /// Of what is in force meanwhile.
    pub before: String,
    /// What it touches: `route-policy`, `roles`, …
    pub kinds: Vec<String>,
    /// What differs, a line each.
    pub differs: Vec<String>,
    pub brought: Brought,
    /// Who brought it, in words.
    pub by: String,
    /// Persons whose change it may be: none of them votes.
    pub authors: Vec<String>,
    pub at: Timestamp,
    /// Not in force by then: expired.
    pub expires_at: Timestamp,
    /// Different people who must agree.
    pub needed: u8,
    pub votes: Vec<ChangeVote>,
    pub state: ChangeState,
    /// Why it was denied or is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_why: Option<String>,
    pub version: i64,
}
