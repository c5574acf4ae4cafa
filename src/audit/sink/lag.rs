//! How far each sink is behind, and what that means: a record and an alert, and for some that requests are refused.

use super::Stop;
use super::settings::{LagSettings, OnLag, SinkSettings};
use crate::audit::core::Core;
use crate::audit::counters::{SinkCounters, set};
use crate::audit::encode_own::Own;
use crate::audit::error::Refused;
use crate::audit::event::Event;
use crate::audit::segment;
use crate::model::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// How often all sinks are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// One sink under watch.
pub(super) struct Watched {
    name: Arc<str>,
    bounds: LagSettings,
    counters: Arc<SinkCounters>,
    since: Option<Timestamp>,
}

impl Watched {
    pub(super) fn new(settings: &SinkSettings, counters: Arc<SinkCounters>) -> Self {
        Self {
            name: settings.name.as_str().into(),
            bounds: settings.lag,
            counters,
            since: None,
        }
    }
}

/// How far behind: records, their bytes, and the age of the oldest.
#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    records: u64,
    bytes: u64,
    time: Duration,
}

impl Lag {
    fn exceeds(self, bounds: &LagSettings) -> bool {
        (bounds.records > 0 && self.records > bounds.records)
            || (bounds.bytes > 0 && self.bytes > bounds.bytes)
            || (!bounds.time.is_zero() && self.time > bounds.time)
    }
}

/// Looks at all sinks from a thread of its own: one that hangs in a write still counts.
pub(super) struct Watch {
    core: Arc<Core>,
    /// The journal's.
    dir: PathBuf,
    sinks: Vec<Watched>,
}

impl Watch {
    pub(super) fn new(core: Arc<Core>, dir: &Path, sinks: Vec<Watched>) -> Self {
        Self {
            core,
            dir: dir.into(),
            sinks,
        }
    }

    /// Until the journal stops.
    pub(super) fn run(mut self, stop: &Stop) {
        while stop.deadline().is_none() {
            self.look();
            thread::sleep(LOOK);
        }
    }

    fn look(&mut self) {
        let now = self.core.now();
        let mut news = Vec::new();
        for (at, sink) in self.sinks.iter_mut().enumerate() {
            let lag = measure(&self.core, &self.dir, &sink.counters, now);
            let is_lagging = lag.exceeds(&sink.bounds);
            if is_lagging != sink.since.is_some() {
                sink.since = is_lagging.then_some(now);
                news.push((at, lag));
            }
        }
        let refuses = |sink: &&Watched| sink.bounds.on_lag == OnLag::Refuse;
        let closes = self.sinks.iter().filter(refuses).find_map(|sink| {
            let since = sink.since?;
            Some(Refused::lagging(since, Arc::clone(&sink.name)))
        });
        self.core.gate.set(closes);
        // What is told is so by then.
        for (at, lag) in news {
            let Some(sink) = self.sinks.get(at) else {
                continue;
            };
            let is_lagging = sink.since.is_some();
            sink.counters.lagging.store(is_lagging, Ordering::Release);
            tell(&self.core, sink, lag);
        }
    }
}

fn measure(core: &Core, dir: &Path, counters: &SinkCounters, now: Timestamp) -> Lag {
    let kept = core.counters.sequence.load(Ordering::Relaxed);
    let records = kept.saturating_sub(counters.sequence.load(Ordering::Relaxed));
    let lag = if records == 0 {
        Lag::default()
    } else {
        let oldest = counters.oldest.load(Ordering::Relaxed);
        let time = match oldest {
            0 => Duration::ZERO,
            oldest => Timestamp::from_millis(oldest).until(now),
        };
        Lag {
            records,
            bytes: bytes_behind(dir, counters),
            time,
        }
    };
    set(&counters.lag, lag.records);
    set(&counters.lag_bytes, lag.bytes);
    set(&counters.lag_seconds, lag.time.as_secs());
    lag
}

/// What the journal's files hold behind the cursor. A file that cannot be looked at counts nothing.
fn bytes_behind(dir: &Path, counters: &SinkCounters) -> u64 {
    let at = counters.segment.load(Ordering::Relaxed);
    let segments = segment::list(dir).unwrap_or_default();
    let behind = segments.into_iter().filter(|first| *first >= at);
    let sizes = behind.filter_map(|first| std::fs::metadata(segment::path(dir, first)).ok());
    let all: u64 = sizes.map(|it| it.len()).sum();
    all.saturating_sub(counters.offset.load(Ordering::Relaxed))
}

fn tell(core: &Core, sink: &Watched, lag: Lag) {
    let lagging = sink.since.is_some();
    let refuses = sink.bounds.on_lag == OnLag::Refuse;
    if lagging {
        tracing::error!(
            sink = &*sink.name,
            records = lag.records,
            bytes = lag.bytes,
            seconds = lag.time.as_secs(),
            refuses,
            "the sink is further behind than it may be"
        );
    } else {
        tracing::info!(sink = &*sink.name, "the sink is within its bounds again");
    }
    core.note_own(&Own::Lag {
        sink: &sink.name,
        lagging,
        records: lag.records,
        bytes: lag.bytes,
        seconds: lag.time.as_secs(),
        refuses,
    });
    if lagging {
        core.note(&Event::Alert {
            kind: "sink-lag",
            session: None,
            exchange: None,
            client: None,
            detail: &sink.name,
        });
    }
}
