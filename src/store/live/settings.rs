//! The limits of the live registry, each with its default.

use std::time::Duration;

/// How live sessions are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often the store is asked for changes and the timers are looked at; at most 50 ms, so that
    /// a revocation elsewhere cuts within 100 ms. Default 10 ms.
    pub poll_interval: Duration,
    /// How long sessions stay good when the store cannot be reached. Default 5 s.
    pub lease: Duration,
    /// A session that nobody used for this long ends. Zero: never. Default 15 min.
    pub idle: Duration,
    /// How many ended sessions are remembered, to tell who ended them. Default 10,000.
    pub tombstones: usize,
    /// How far the wall clock may step back before nothing is live any more. Default 60 s.
    pub max_clock_step: Duration,
    /// How often last uses are written down. Default 5 s.
    pub touch_interval: Duration,
    /// How many events may wait to be recorded; those beyond it wait in the store. Default 4,096.
    pub events: usize,
    /// How many calls may wait for the store's thread; beyond it they are refused. Default 1,024.
    pub calls: usize,
    /// How many sessions may be looked up in the store at once while not all are read after the start; beyond it the
    /// requests for them are refused. Default 512.
    pub lookups: usize,
    /// How many sessions may be open at once; beyond it none starts. Default 100,000.
    pub max_sessions: usize,
    /// How long ended sessions stay in the store. Default 30 days.
    pub keep_ended: Duration,
    /// How often the store forgets what is too old. Default 1 h.
    pub purge_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(10),
            lease: Duration::from_secs(5),
            idle: Duration::from_secs(15 * 60),
            tombstones: 10_000,
            max_clock_step: Duration::from_secs(60),
            touch_interval: Duration::from_secs(5),
            events: 4_096,
            calls: 1_024,
            lookups: 512,
            max_sessions: 100_000,
            keep_ended: Duration::from_secs(30 * 24 * 3600),
            purge_interval: Duration::from_secs(3600),
        }
    }
}

impl Settings {
    /// The longest poll that still keeps the promise of 100 ms.
    pub const MAX_POLL_INTERVAL: Duration = Duration::from_millis(50);

    pub(super) fn tick(&self) -> Duration {
        self.poll_interval
            .clamp(Duration::from_millis(1), Self::MAX_POLL_INTERVAL)
    }
}
