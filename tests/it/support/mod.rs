//! What several test files share.

pub(crate) mod authority;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod http2;
pub(crate) mod locum;
pub(crate) mod plan;
pub(crate) mod storefront;
pub(crate) mod upstream;
