//! What can go wrong at the journal, whose fault it is, and what to do about it.

use crate::model::Timestamp;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the journal did not start.
#[derive(Debug)]
pub enum StartError {
    /// Another process writes here.
    Locked { dir: PathBuf },
    /// The chain is broken before its tail: someone changed or removed records.
    Broken {
        segment: PathBuf,
        line: u64,
        what: String,
    },
    /// A setting that cannot be.
    Setting { what: String },
    /// The directory or a file in it cannot be used.
    Io {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
}

impl StartError {
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

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { dir } => write!(
                f,
                "the journal in {} is in use by another process: stop that one, or give this one its own audit.dir",
                dir.display()
            ),
            Self::Broken {
                segment,
                line,
                what,
            } => write!(
                f,
                "the journal is broken at {} line {line}: {what}. Nothing was changed. Run `locum audit verify`, keep the directory as evidence, and start with a new audit.dir",
                segment.display()
            ),
            Self::Setting { what } => f.write_str(what),
            Self::Io {
                path,
                doing,
                source,
            } => write!(
                f,
                "cannot {doing} {}: {source}. Check that the disk has room and that this user may write there",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The record could not be kept, so the request must not go on: answer 503. Ours, not the client's.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When the outage began.
    pub since: Timestamp,
    why: Why,
}

#[derive(Clone, Debug)]
enum Why {
    Unwritable(Arc<io::Error>),
    /// A sink is further behind than it may be.
    Lagging(Arc<str>),
    /// No checkpoint covers the latest records for longer than may be.
    Unsigned,
    /// Too little room is left on the disk.
    NoRoom {
        dir: Arc<std::path::Path>,
        free: u64,
        mark: u64,
    },
}

impl Refused {
    /// Where the journal was stopped while a record waited.
    pub(super) fn stopped() -> Self {
        Self::unwritable(
            Timestamp::now(),
            io::Error::other("the journal was stopped"),
        )
    }

    pub(super) fn unwritable(since: Timestamp, source: io::Error) -> Self {
        Self {
            since,
            why: Why::Unwritable(Arc::new(source)),
        }
    }

    pub(super) fn lagging(since: Timestamp, sink: Arc<str>) -> Self {
        Self {
            since,
            why: Why::Lagging(sink),
        }
    }

    pub(super) fn unsigned(since: Timestamp) -> Self {
        Self {
            since,
            why: Why::Unsigned,
        }
    }

    pub(super) fn no_room(since: Timestamp, dir: &std::path::Path, free: u64, mark: u64) -> Self {
        let dir = dir.into();
        Self {
            since,
            why: Why::NoRoom { dir, free, mark },
        }
    }

    /// Whether it is refused before the disk is full.
    pub fn is_for_room(&self) -> bool {
        matches!(self.why, Why::NoRoom { .. })
    }

    /// The sink that is too far behind, or `log`. The journal itself can be written: the refusal belongs into it.
    pub fn sink(&self) -> Option<&str> {
        match &self.why {
            Why::Lagging(sink) => Some(sink),
            Why::Unsigned => Some("log"),
            Why::Unwritable(_) | Why::NoRoom { .. } => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since;
        match &self.why {
            Why::Unwritable(source) => write!(
                f,
                "the journal cannot be written since {since}: {source}. Requests are refused until it can; free space on its disk or repair it, no restart is needed"
            ),
            Why::Unsigned => write!(
                f,
                "no checkpoint covers the journal's latest records since {since}, and audit.log.on_lag is \"refuse\". Requests are refused until one does; look at the log's keys, disk and witnesses, no restart is needed"
            ),
            Why::NoRoom { dir, free, mark } => write!(
                f,
                "too little room is left for records since {since}: {free} bytes in {}, and audit.min_free.refuse is {mark}. Requests are refused until there is more; free space, no restart is needed",
                dir.display()
            ),
            Why::Lagging(sink) => write!(
                f,
                "sink {sink} is further behind than it may be since {since}, and its on_lag is \"refuse\". Requests are refused until it has caught up; repair its receiver, no restart is needed"
            ),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            Why::Unwritable(source) => Some(&**source),
            Why::Lagging(_) | Why::Unsigned | Why::NoRoom { .. } => None,
        }
    }
}
