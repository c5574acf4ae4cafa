//! Why a document cannot carry the banner after all.

use crate::proxy::rewrite::encoding::DecodeError;
use std::fmt;

/// Why a document cannot go on. The answer must be cut, never passed without its banner.
#[derive(Debug)]
pub enum RewriteError {
    /// The app's compressed bytes.
    Decode(DecodeError),
    /// Encoding again failed: ours.
    Encode(std::io::Error),
    /// One tag or comment of the head is longer than this many bytes.
    TokenTooLong(usize),
    /// Said to be XHTML and is not: there is no place for a banner.
    NotHtml,
    /// The document is in an encoding that cannot be read here.
    Encoding(&'static str),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(_) => f.write_str("the app's document could not be decoded"),
            Self::Encode(_) => f.write_str("the document could not be compressed again"),
            Self::TokenTooLong(most) => write!(
                f,
                "a tag in the document's head is longer than {most} bytes; raise banner.max_token_bytes if it is meant to be"
            ),
            Self::NotHtml => {
                f.write_str("the app's document says it is XHTML, but its root is not")
            }
            Self::Encoding(name) => write!(
                f,
                "the app's document is in {name} and says so only inside; have the app send UTF-8"
            ),
        }
    }
}

impl std::error::Error for RewriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(cause) => Some(cause),
            Self::Encode(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<DecodeError> for RewriteError {
    fn from(cause: DecodeError) -> Self {
        Self::Decode(cause)
    }
}

impl From<std::io::Error> for RewriteError {
    fn from(cause: std::io::Error) -> Self {
        Self::Encode(cause)
    }
}
