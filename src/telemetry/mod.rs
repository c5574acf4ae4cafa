//! What operations staff watch: metrics in the `OpenMetrics` text format, and logs.

pub mod log;
pub mod metrics;

pub use metrics::{Limit, Metrics};
