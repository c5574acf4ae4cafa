//! What the log counts.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Counts since the process started, and gauges.
#[derive(Debug, Default)]
pub struct LogCounters {
    /// Gauge: leaves of the whole tree that the published checkpoint covers.
    pub size: AtomicU64,
    /// Gauge: records that no published checkpoint covers.
    pub lag: AtomicU64,
    /// Gauge: when a checkpoint was last published, milliseconds since 1970; 0 before the first.
    pub last_checkpoint: AtomicI64,
    /// Checkpoints of the whole tree published.
    pub checkpoints: AtomicU64,
    /// Checkpoints of tenants' trees published.
    pub tenant_checkpoints: AtomicU64,
    /// Rounds that failed and are tried again.
    pub failures: AtomicU64,
    /// Cosignatures that a witness did not give, or gave wrongly.
    pub witness_failures: AtomicU64,
    /// Records that were read from the segments, since they were not told: from before the start, or beyond the queue.
    pub read: AtomicU64,
    /// Gauge: whether the log lags beyond its bound.
    pub late: AtomicBool,
    /// Gauge: whether the records give another root than was signed, so that nothing more is signed.
    pub forked: AtomicBool,
}

impl LogCounters {
    /// Every count with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let flag = |flag: &AtomicBool| u64::from(flag.load(Ordering::Relaxed));
        let last = self.last_checkpoint.load(Ordering::Relaxed);
        [
            ("size", read(&self.size)),
            ("lag", read(&self.lag)),
            (
                "last_checkpoint_milliseconds",
                u64::try_from(last).unwrap_or(0),
            ),
            ("checkpoints", read(&self.checkpoints)),
            ("tenant_checkpoints", read(&self.tenant_checkpoints)),
            ("failures", read(&self.failures)),
            ("witness_failures", read(&self.witness_failures)),
            ("records_read", read(&self.read)),
            ("late", flag(&self.late)),
            ("forked", flag(&self.forked)),
        ]
        .into_iter()
    }
}
