//! Why a session cannot be given out.

use crate::audit::recording::RecordingError;
use crate::audit::tree::LogError;
use std::fmt;
use std::io;

/// What went wrong, and where.
#[derive(Debug)]
pub enum ExportError {
    /// Whoever takes the export went away, or their disk is full.
    Write(io::Error),
    /// The journal cannot be read, or is broken.
    Journal(io::Error),
    Recording(RecordingError),
    /// A WARC is made of a recording only.
    NoRecording(String),
    /// A proof cannot be made.
    Log(LogError),
    /// There is more than the bounds allow.
    TooMuch {
        what: &'static str,
        most: u64,
    },
    /// The session is in no record.
    Unknown(String),
    Zip(zip::result::ZipError),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(why) => write!(f, "the export could not be written: {why}"),
            Self::Journal(why) => {
                write!(
                    f,
                    "the journal cannot be read: {why}; run `locum audit verify`"
                )
            }
            Self::Recording(why) => why.fmt(f),
            Self::NoRecording(why) => write!(f, "there is no recording to make a WARC of: {why}"),
            Self::Log(why) => why.fmt(f),
            Self::TooMuch { what, most } => {
                write!(f, "there are more than {most} {what}: raise export.{what}")
            }
            Self::Unknown(session) => {
                write!(f, "no record of this journal names session {session}")
            }
            Self::Zip(why) => write!(f, "the package could not be written: {why}"),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(why) | Self::Journal(why) => Some(why),
            Self::Recording(why) => Some(why),
            Self::Log(why) => Some(why),
            Self::Zip(why) => Some(why),
            Self::TooMuch { .. } | Self::Unknown(_) | Self::NoRecording(_) => None,
        }
    }
}

impl From<RecordingError> for ExportError {
    fn from(why: RecordingError) -> Self {
        Self::Recording(why)
    }
}

impl From<LogError> for ExportError {
    fn from(why: LogError) -> Self {
        Self::Log(why)
    }
}

impl From<zip::result::ZipError> for ExportError {
    fn from(why: zip::result::ZipError) -> Self {
        Self::Zip(why)
    }
}

/// A writer's failure: the only I/O that is not reading.
impl From<io::Error> for ExportError {
    fn from(why: io::Error) -> Self {
        Self::Write(why)
    }
}
