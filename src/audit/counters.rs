//! What the journal counts: plain atomics, which telemetry maps to metrics.

use super::room::RoomCounters;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Counts since the process started, and two gauges.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records written.
    pub records: AtomicU64,
    /// Bytes written, newlines included.
    pub bytes: AtomicU64,
    /// Exchanges that were refused because they could not be recorded.
    pub refused: AtomicU64,
    /// Writes and syncs that failed.
    pub failures: AtomicU64,
    /// Closings and notes that found the queue full during an outage.
    pub lost: AtomicU64,
    /// Exchanges dropped without a close, recorded as aborted.
    pub aborted: AtomicU64,
    /// Segments sealed.
    pub sealed: AtomicU64,
    /// `fdatasync` calls of group commits; `records / syncs` is the group's size.
    pub syncs: AtomicU64,
    /// Gauge: closings and notes now waiting for the disk.
    pub queued: AtomicU64,
    /// Gauge: the last sequence number that counts as kept.
    pub sequence: AtomicU64,
    /// Gauge: whether the journal refuses at present.
    pub refusing: AtomicBool,
    /// The room on its disk.
    pub room: RoomCounters,
}

/// What one sink counts.
#[derive(Debug, Default)]
pub struct SinkCounters {
    /// Gauge: the last sequence number that the sink has taken.
    pub sequence: AtomicU64,
    /// Gauge: where the sink stands in the journal's files: the segment's first sequence number, and bytes in it.
    pub segment: AtomicU64,
    pub offset: AtomicU64,
    /// Gauge: when the oldest record was made that the sink has not taken, milliseconds since 1970; 0 for none.
    pub oldest: AtomicI64,
    /// Gauge: records kept but not yet taken.
    pub lag: AtomicU64,
    /// Gauge: their bytes in the journal.
    pub lag_bytes: AtomicU64,
    /// Gauge: the age of the oldest of them, in seconds.
    pub lag_seconds: AtomicU64,
    /// Gauge: whether it is further behind than it may be.
    pub lagging: AtomicBool,
    /// Records taken since the process started; at least once, so repeats count.
    pub delivered: AtomicU64,
    /// Deliveries that failed and are tried again.
    pub failures: AtomicU64,
    /// Records that the sink will never take, set aside in `sinks/NAME.poison.jsonl`.
    pub poisoned: AtomicU64,
    /// Gauge: whether the last delivery failed.
    pub down: AtomicBool,
    /// Gauge: when a delivery last succeeded, milliseconds since 1970; 0 before the first.
    pub last_success: AtomicI64,
}

impl Counters {
    /// Every count with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("records", read(&self.records)),
            ("bytes", read(&self.bytes)),
            ("refused", read(&self.refused)),
            ("failures", read(&self.failures)),
            ("lost", read(&self.lost)),
            ("aborted", read(&self.aborted)),
            ("sealed", read(&self.sealed)),
            ("syncs", read(&self.syncs)),
            ("queued", read(&self.queued)),
            ("sequence", read(&self.sequence)),
            ("refusing", u64::from(self.refusing.load(Ordering::Relaxed))),
        ]
        .into_iter()
        .chain(self.room.named())
    }
}

impl SinkCounters {
    /// Every count with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("sequence", read(&self.sequence)),
            ("lag", read(&self.lag)),
            ("lag_bytes", read(&self.lag_bytes)),
            ("lag_seconds", read(&self.lag_seconds)),
            ("lagging", u64::from(self.lagging.load(Ordering::Relaxed))),
            ("delivered", read(&self.delivered)),
            ("failures", read(&self.failures)),
            ("poisoned", read(&self.poisoned)),
            ("down", u64::from(self.down.load(Ordering::Relaxed))),
        ]
        .into_iter()
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

pub(super) fn set(gauge: &AtomicU64, n: u64) {
    gauge.store(n, Ordering::Relaxed);
}
