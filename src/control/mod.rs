//! The control plane: how grants come into being and end.

pub mod grants;
