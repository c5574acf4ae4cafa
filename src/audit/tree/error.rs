//! What can go wrong at the log of the journal, whose fault it is, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the log cannot go on, or a question to it has no answer.
#[derive(Debug)]
pub enum LogError {
    /// A key that cannot be used.
    Key { why: String },
    /// A note that cannot be believed.
    Note { what: String, why: String },
    /// The records give another root than was signed for that size: nothing more is signed.
    Forked { what: String, size: u64 },
    /// There is nothing to answer with: no such log, tenant, record or size.
    Absent { what: String },
    /// Tiles that do not fit together.
    Tiles { what: String },
    /// Not so many witnesses cosigned as are required.
    Witnesses { got: usize, required: usize },
    Io {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
}

impl LogError {
    pub(super) fn key(why: impl Into<String>) -> Self {
        Self::Key { why: why.into() }
    }

    pub(super) fn absent(what: impl Into<String>) -> Self {
        Self::Absent { what: what.into() }
    }

    pub(super) fn note(what: impl fmt::Display, why: impl Into<String>) -> Self {
        Self::Note {
            what: what.to_string(),
            why: why.into(),
        }
    }

    pub(super) fn tiles(dir: &Path, why: impl fmt::Display) -> Self {
        Self::Tiles {
            what: format!("{}: {why}", dir.display()),
        }
    }

    pub(super) fn io(
        path: impl Into<PathBuf>,
        doing: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { why } => f.write_str(why),
            Self::Note { what, why } => write!(f, "{what}: {why}"),
            Self::Forked { what, size } => write!(
                f,
                "the journal's first {size} records give another root than {what} signed for them: records were changed, or the log's files are another journal's. Nothing more is signed. Run `locum audit verify` and keep the directory as evidence"
            ),
            Self::Absent { what } => f.write_str(what),
            Self::Tiles { what } => write!(
                f,
                "{what}. A restart makes the log's tiles anew from the records, if these still give the root that was signed"
            ),
            Self::Witnesses { got, required } => write!(
                f,
                "{got} witnesses cosigned and {required} are required: the checkpoint waits until they do"
            ),
            Self::Io {
                path,
                doing,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
