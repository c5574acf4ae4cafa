//! The data plane: one file a stage of a request's life.

pub mod upstream;
