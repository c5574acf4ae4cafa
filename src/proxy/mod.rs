//! The data plane: one file a stage, in the order of a request's life.

pub mod canonical;
pub mod guard;
pub mod rewrite;
pub mod websocket;
