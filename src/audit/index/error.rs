//! What can go wrong with an index, and what to do about it.

use rusqlite::ErrorCode;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why an index could not be used.
#[derive(Debug)]
pub enum IndexError {
    /// There is none (yet).
    Absent { path: PathBuf },
    /// It is damaged, of another version, or of another journal: it must be made anew.
    Broken { path: PathBuf, why: String },
    /// Another process keeps it.
    Kept { path: PathBuf },
    /// The search was stopped because it took too long.
    Stopped,
    /// `SQLite` could not do what was asked.
    Sql {
        path: PathBuf,
        source: rusqlite::Error,
    },
    /// A file could not be read or written; the journal's own faults come here too.
    Io { path: PathBuf, source: io::Error },
}

impl IndexError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }

    /// Tells damage from other failures.
    pub(super) fn sql(path: impl Into<PathBuf>) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.into();
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Broken {
                path,
                why: source.to_string(),
            },
            Some(ErrorCode::OperationInterrupted) => Self::Stopped,
            _ => Self::Sql { path, source },
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Absent { .. } | Self::Broken { .. } => {
                "run `locum audit reindex`; a serving Locum does so by itself"
            }
            Self::Kept { .. } => "let the process that keeps it finish, or stop it",
            Self::Stopped => "narrow the search: add a time, a tenant or a longer word",
            Self::Sql { .. } | Self::Io { .. } => {
                "look whether the journal and its index are yours to read and write, and the disk has room"
            }
        }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { path } => write!(f, "there is no index at {}", path.display()),
            Self::Broken { path, why } => {
                write!(f, "the index at {} cannot be used: {why}", path.display())
            }
            Self::Kept { path } => {
                write!(f, "another process keeps the index at {}", path.display())
            }
            Self::Stopped => f.write_str("the search took too long and was stopped"),
            Self::Sql { path, source } => {
                write!(
                    f,
                    "the index at {} does not answer: {source}",
                    path.display()
                )
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for IndexError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sql { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
