//! What several test files share.

pub(crate) mod browser;
pub(crate) mod storefront;
