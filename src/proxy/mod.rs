//! The data plane: one file a stage, in the order of a request's life.

pub mod rewrite;
