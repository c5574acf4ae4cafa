//! How one document is rewritten.

use crate::proxy::rewrite::encoding::Coding;
use encoding_rs::Encoding;

/// What kind of document the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Html,
    Xhtml,
    /// XML that a browser shows as a page if its root is XHTML's.
    Xml,
    /// No usable content type: the first bytes decide, as in a browser.
    Sniff,
}

/// Which documents get which parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the address bar names: bar, frame, title.
    Document,
    /// Inside another document: a frame, no second bar.
    Frame,
}

/// What the heads of request and response say of the rewriting.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub kind: Kind,
    pub part: Part,
    /// From the content type; decides over what the document says of itself.
    pub charset: Option<&'static Encoding>,
    /// Codings to undo, in the order in which they were applied.
    pub decode: Vec<Coding>,
    /// The coding to apply again.
    pub encode: Option<Coding>,
    /// Whether the response's policies let scripts run (CSP `sandbox` may not).
    pub(super) runs_scripts: bool,
    /// The media type that counted, where several were sent.
    pub(super) content_type: Option<String>,
}
