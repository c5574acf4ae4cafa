//! What came back from the portal, before anybody judged it.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}
