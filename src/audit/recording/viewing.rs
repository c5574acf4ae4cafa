//! Who looks at a recording, and why: on record before anything is shown.

use super::about::About;
use super::error::RecordingError;
use crate::model::Happened;
use std::fmt;

/// Who looks at a recording, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// The person: as the control plane or the command line knows them.
    pub by: String,
    /// The account that they signed in with.
    pub account: Option<String>,
    /// In their own words; never empty.
    pub reason: String,
    /// `cli`, `api`, `portal`.
    pub over: &'static str,
    /// `show`, `export har`, `replay`, …
    pub doing: String,
}

impl Viewing {
    /// `recording.viewed`, for the journal.
    pub(super) fn happened(&self, about: &About) -> Happened {
        let mut happened = about
            .happened("recording.viewed", &self.by)
            .severe(2)
            .with("why", &self.reason)
            .with("over", self.over)
            .with("doing", &self.doing);
        happened.account.clone_from(&self.account);
        happened
    }
}

/// Why a step with a recording was not taken.
#[derive(Debug)]
pub enum Undone<E> {
    Recording(RecordingError),
    /// It could not be put on record, or may not be done.
    Unrecorded(E),
}

impl<E> From<RecordingError> for Undone<E> {
    fn from(why: RecordingError) -> Self {
        Self::Recording(why)
    }
}

impl<E: fmt::Display> fmt::Display for Undone<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording(why) => why.fmt(f),
            Self::Unrecorded(why) => write!(
                f,
                "it could not be put on record, so it was not done: {why}"
            ),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Undone<E> {}
