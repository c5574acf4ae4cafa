//! What the index counts: plain atomics, which telemetry maps to metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the process started, and gauges.
#[derive(Debug, Default)]
pub struct IndexCounters {
    /// Gauge: the last sequence number that can be found.
    pub sequence: AtomicU64,
    /// Gauge: records kept but not indexed yet.
    pub lag: AtomicU64,
    /// Times that the index was made anew.
    pub rebuilds: AtomicU64,
    /// Times that it could not be written or the journal not be read.
    pub failures: AtomicU64,
    /// Gauge: whether the last attempt failed.
    pub down: AtomicBool,
}

impl IndexCounters {
    /// Every count with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("sequence", read(&self.sequence)),
            ("lag", read(&self.lag)),
            ("rebuilds", read(&self.rebuilds)),
            ("failures", read(&self.failures)),
            ("down", u64::from(self.down.load(Ordering::Relaxed))),
        ]
        .into_iter()
    }
}
