//! What can go wrong with recordings: whose fault it is, and what helps.

use crate::model::SessionId;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a recording cannot be written or read.
#[derive(Debug)]
pub enum RecordingError {
    /// There is no recording of this session: nothing of it was to be recorded, or it never was.
    Absent { session: SessionId },
    /// It was erased: its key is destroyed, so nobody can read it any more.
    Erased { session: SessionId, why: String },
    /// It is there, but the master key that its own key is wrapped with is not at hand.
    Sealed { session: SessionId, key: String },
    /// A legal hold forbids what was asked.
    Held { session: SessionId, hold: String },
    /// The bytes are not what was written: changed, moved, cut in the middle, or of another session.
    Damaged { path: PathBuf, what: String },
    /// A body's bytes are not all there: a gap, a cut, or withheld.
    NotWhole { what: String },
    /// A setting that cannot be used.
    Setting { what: String },
    /// A master key that cannot be read or used.
    Key { id: String, what: String },
    /// The system refused.
    Io {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
}

impl RecordingError {
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { session } => write!(
                f,
                "nothing of session {session} was recorded here: look at [recording] and the policy rows' `record`"
            ),
            Self::Erased { session, why } => write!(
                f,
                "the recording of session {session} was erased ({why}); its key is destroyed and nothing brings it back"
            ),
            Self::Sealed { session, key } => write!(
                f,
                "the recording of session {session} is sealed with master key {key:?}, which is not at hand: add it to recording.keys"
            ),
            Self::Held { session, hold } => write!(
                f,
                "the recording of session {session} is under legal hold ({hold}): release the hold first"
            ),
            Self::Damaged { path, what } => write!(
                f,
                "{}: {what}; these are not the bytes that Locum wrote",
                path.display()
            ),
            Self::NotWhole { what } => write!(f, "this body is not all there: {what}"),
            Self::Setting { what } => f.write_str(what),
            Self::Key { id, what } => write!(f, "recording key {id:?}: {what}"),
            Self::Io {
                path,
                doing,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
