//! What changes between the app's answer and the operator's browser, and back.

pub mod banner;
pub mod encoding;
pub mod jar;
pub mod origins;
pub mod replace;
