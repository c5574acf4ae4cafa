//! The banner: every HTML document that a person navigates to says who stands in for whom.
//!
//! The way of one answer: [`adjust_request`] before the app is asked; [`applies`] on its answer's head;
//! [`Plan::adjust_headers`] and [`Plan::stream`] where it carries the banner.

mod applies;
pub mod csp;
mod error;
mod escape;
#[cfg(test)]
mod head_tests;
mod headers;
mod html;
mod lex;
mod meta;
mod navigation;
mod out;
mod pages;
mod plan;
mod prepared;
mod sniff;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod xml;

pub use applies::{Carry, Unfit, applies, without};
pub use error::RewriteError;
pub use headers::adjust_request;
pub use navigation::{is_navigation, is_service_worker};
pub use pages::{
    Asset, Page, SERVICE_WORKER, Status, asset, ended_page, event, session_page, status_json,
};
pub use plan::{Kind, Part, Plan};
pub use prepared::{Facts, Prepared};
pub use stream::{Stream, joined};

/// Limits and choices of the rewriting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most bytes that one compressed document may unfold to. Documents that are not compressed have no limit.
    pub max_decoded_bytes: u64,
    /// Most bytes out for each compressed byte in, looked at above 1 MiB.
    pub max_ratio: u64,
    /// Most content codings on top of each other.
    pub max_codings: usize,
    /// Most bytes of one tag in a document's head (a `data:` URL, say); this much is held in memory.
    pub max_token_bytes: usize,
    /// Compress again (gzip, else zstd, else br) what the app had compressed, if the client takes it.
    pub reencode: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_decoded_bytes: 256 * 1024 * 1024,
            max_ratio: 200,
            max_codings: 4,
            max_token_bytes: 1024 * 1024,
            reencode: true,
        }
    }
}
