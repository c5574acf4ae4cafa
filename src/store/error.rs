//! What can go wrong with a store: never the client's fault, always with a remedy.

use std::fmt;
use std::path::PathBuf;

/// A store that did not do what was asked. A caller refuses (503) rather than go on.
#[derive(Debug)]
pub enum StoreError {
    /// The file could not be made or opened.
    Open {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is another program's, or damaged.
    NotAStore {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer version of the product wrote it.
    NewerSchema {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    /// An operation failed.
    Failed {
        /// What was being done, in words.
        doing: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored value cannot be read back.
    Corrupt { what: &'static str, detail: String },
    /// The store's thread has more to do than its queue holds.
    Busy,
    /// The store's thread has stopped.
    Stopped,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } => write!(
                f,
                "cannot open the grant store {}: check that the folder exists and belongs to this user",
                path.display()
            ),
            Self::NotAStore { path, .. } => write!(
                f,
                "{} is not a grant store, or is damaged: restore it from a copy, or name another file",
                path.display()
            ),
            Self::NewerSchema { path, found, known } => write!(
                f,
                "the grant store {} has schema {found}, this version knows up to {known}: run the newer version",
                path.display()
            ),
            Self::Failed { doing, .. } => write!(
                f,
                "the grant store failed while {doing}: check the disk and the file's permissions"
            ),
            Self::Corrupt { what, detail } => {
                write!(f, "the grant store holds an unreadable {what}: {detail}")
            }
            Self::Busy => f.write_str("the grant store has too much to do: try again"),
            Self::Stopped => f.write_str("the grant store has been closed"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. }
            | Self::NotAStore { source, .. }
            | Self::Failed { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
