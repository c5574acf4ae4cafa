//! What changes between the app's answer and the operator's browser, and back.

pub mod jar;
pub mod origins;
pub mod replace;
