//! Content codings (RFC 9110 §8.4): which there are, which were applied, which the client takes.

mod budget;
mod decode;
mod encode;
mod inflate;
#[cfg(test)]
mod tests;

pub use budget::DecodeError;
pub use decode::Decoder;
pub use encode::Encoder;

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

/// A content coding that can be undone, and all but `Deflate` also applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952; `x-gzip` is the same (RFC 9110 §8.4.1.3).
    Gzip,
    /// RFC 1950, and bare RFC 1951 as some servers send it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with the window of RFC 9659.
    Zstd,
}

impl Coding {
    /// The name as `Content-Encoding` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// A `Content-Encoding` that cannot be undone here. Whose fault: the app's, which sent what was not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownCoding {
    /// A coding of this name is not known.
    Name(String),
    /// More codings on top of each other than allowed.
    TooMany(usize),
}

impl std::fmt::Display for UnknownCoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "the app sent the unknown content coding {name:?}"),
            Self::TooMany(most) => write!(f, "the app stacked more than {most} content codings"),
        }
    }
}

impl std::error::Error for UnknownCoding {}

/// What a request for a document asks of the app: only codings that can be undone.
pub const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// The codings in the order in which they were applied; `identity` is left out.
///
/// # Errors
/// A name that is not known, or more than `most` codings.
pub fn applied(headers: &HeaderMap, most: usize) -> Result<Vec<Coding>, UnknownCoding> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for name in text.split(',').map(str::trim) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                other => return Err(UnknownCoding::Name(other.chars().take(40).collect())),
            };
            codings.push(coding);
            if codings.len() > most {
                return Err(UnknownCoding::TooMany(most));
            }
        }
    }
    Ok(codings)
}

/// Whether the client's `Accept-Encoding` admits `coding` (RFC 9110 §12.5.3). Absent admits nothing here.
pub fn accepts(request: &HeaderMap, coding: Coding) -> bool {
    let mut named = None;
    let mut star = false;
    for value in request.get_all(ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for part in text.split(',') {
            let mut pieces = part.split(';');
            let name = pieces.next().unwrap_or_default().trim();
            let refused = pieces.any(|piece| {
                let piece = piece.trim().to_ascii_lowercase();
                piece
                    .strip_prefix("q=")
                    .is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
            });
            if name.eq_ignore_ascii_case(coding.name()) {
                named = Some(!refused);
            } else if name == "*" {
                star = !refused;
            }
        }
    }
    named.unwrap_or(star)
}
