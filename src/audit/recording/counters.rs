//! What the recorder counts: plain atomics, which telemetry maps to metrics.

use crate::audit::RoomCounters;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the process started, and three gauges.
#[derive(Debug, Default)]
pub struct Counters {
    /// Exchanges of which something was recorded.
    pub exchanges: AtomicU64,
    /// Bytes of bodies and messages that were taken in.
    pub taken: AtomicU64,
    /// Bytes written to tapes.
    pub written: AtomicU64,
    /// Chunks that were not compressed because the recorder was behind.
    pub hurried: AtomicU64,
    /// Exchanges with something missing.
    pub gaps: AtomicU64,
    /// Exchanges refused or cut because they could not be recorded.
    pub refused: AtomicU64,
    /// Writes that failed.
    pub failures: AtomicU64,
    /// Times that something found the queue full.
    pub overruns: AtomicU64,
    /// Bodies and messages that were not stored because they could not be redacted.
    pub withheld: AtomicU64,
    /// Gauge: bytes in the queue.
    pub queued: AtomicU64,
    /// Gauge: tapes that are open.
    pub tapes: AtomicU64,
    /// Gauge: whether nothing can be written at present.
    pub down: AtomicBool,
    /// The room on the disk.
    pub room: RoomCounters,
}

impl Counters {
    /// Every count with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("exchanges", read(&self.exchanges)),
            ("taken_bytes", read(&self.taken)),
            ("written_bytes", read(&self.written)),
            ("hurried", read(&self.hurried)),
            ("gaps", read(&self.gaps)),
            ("refused", read(&self.refused)),
            ("failures", read(&self.failures)),
            ("overruns", read(&self.overruns)),
            ("withheld", read(&self.withheld)),
            ("queued_bytes", read(&self.queued)),
            ("tapes", read(&self.tapes)),
            ("down", u64::from(self.down.load(Ordering::Relaxed))),
        ]
        .into_iter()
        .chain(self.room.named())
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
