//! Threads that only have to be done some time soon leave the processor to requests.

use super::counters::Counters;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long such a thread works at a stretch. A system takes a processor away from it only by its tick, up to 4 ms
/// later, whatever its priority; all requests on that processor would wait for so long.
const TURN: Duration = Duration::from_micros(400);
/// How long it leaves the processor to others then.
const REST: Duration = Duration::from_micros(400);

/// Lowers the calling thread's priority by `steps` (0 to 19). A system that refuses leaves it as it is.
pub(super) fn yield_to_requests(steps: i32) {
    if let Err(error) = rustix::process::nice(steps) {
        tracing::debug!(%error, "a background thread keeps its priority");
    }
}

/// The turns of such a thread.
#[derive(Debug, Default)]
pub(super) struct Turns {
    began: Option<Instant>,
    written: u64,
}

impl Turns {
    /// Ends a turn that was long enough, and rests if there are requests to rest for: there are where more records were
    /// `written` since the last turn ended. Call it every few microseconds of work.
    pub(super) fn pause(&mut self, written: u64) {
        let began = *self.began.get_or_insert_with(Instant::now);
        if began.elapsed() < TURN {
            return;
        }
        // Not since this turn began: on the one processor that both have nothing is written meanwhile.
        if std::mem::replace(&mut self.written, written) != written {
            rest();
        }
        self.began = None;
    }
}

/// The turns of work that a process which serves does beside its requests, and that a command does without any.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<(Turns, Arc<Counters>)>);

impl Pace {
    /// Beside the requests that these counters count the records of.
    pub(super) fn beside(counters: Arc<Counters>) -> Self {
        Self(Some((Turns::default(), counters)))
    }

    /// As [`Turns::pause`].
    pub(super) fn pause(&mut self) {
        if let Some((turns, counters)) = &mut self.0 {
            turns.pause(counters.sequence.load(Ordering::Relaxed));
        }
    }
}

/// Leaves the processor to others for a moment.
pub(super) fn rest() {
    thread::sleep(REST);
}
