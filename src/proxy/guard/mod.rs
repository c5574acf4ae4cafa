//! The byte-level guard in front of hyper on HTTP/1 connections. hyper's parser is lenient where two parsers
//! may differ (it drops `Content-Length` beside `Transfer-Encoding`, takes a bare LF, never looks at `Host`);
//! [`Guard`] reads the same bytes first and lets through only what has one reading.
//!
//! What can be rewritten into one reading is rewritten and noted in [`Notes`], for policy to tolerate or not.
//! What cannot is replaced by a synthetic request that hyper surely takes, so that the service answers the
//! refusal and records it as it does any other. The service trusts the notes, never that request.

mod bytes;
mod chunk;
mod framing;
mod head;
mod io;
mod notes;
mod rewrite;

use std::time::Duration;

pub use chunk::is_forbidden_trailer;
pub use io::Guard;
pub use notes::{Fault, Note, Notes, Numbered};

/// Bounds on what the guard holds and lets through. All in bytes unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Request line and header lines together, with their line ends. More: 431.
    pub max_head_bytes: usize,
    /// Header lines in one head, a count. More: 431. hyper's own `max_headers` must not be lower.
    pub max_headers: usize,
    /// The request target. More: 414. At most 65,534, where `http::Uri` ends.
    pub max_uri_bytes: usize,
    /// The method. More: 400.
    pub max_method_bytes: usize,
    /// Chunk extensions of one body, all chunks together. More: 400.
    pub max_chunk_extension_bytes: usize,
    /// The trailer section of one body. More: 400. hyper's own bound is 16 KiB.
    pub max_trailer_bytes: usize,
    /// From a head's first byte to its last. Longer: 408.
    pub header_timeout: Duration,
    /// Input that is read and thrown away after a refusal, so that the answer is not lost to a reset.
    pub max_drain_bytes: usize,
    /// How much of a refused head's method and target a note keeps, escaped, each.
    pub max_excerpt_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head_bytes: 32 * 1024,
            max_headers: 100,
            max_uri_bytes: 8 * 1024,
            max_method_bytes: 32,
            max_chunk_extension_bytes: 4 * 1024,
            max_trailer_bytes: 8 * 1024,
            header_timeout: Duration::from_secs(10),
            max_drain_bytes: 256 * 1024,
            max_excerpt_bytes: 512,
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
