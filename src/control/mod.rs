//! The control plane: how grants come into being and end, and the listeners of the product's own.

pub mod grants;
pub mod http;
pub mod portal;
