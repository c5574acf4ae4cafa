//! The data plane: one file a stage, in the order of a request's life.

pub mod canonical;
pub mod client;
pub mod guard;
pub mod hosts;
pub mod rewrite;
pub mod tls;
pub mod upstream;
