//! Threads that only have to be done some time soon leave the processor to requests.

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
#[derive(Debug)]
pub(super) struct Turns {
    began: Instant,
    written: u64,
}

impl Turns {
    /// Begins a turn.
    pub(super) fn new(written: u64) -> Self {
        Self {
            began: Instant::now(),
            written,
        }
    }

    /// Ends a turn that was long enough, and rests if there are requests to rest for: those that have `written` more
    /// records since. Call it every few microseconds of work.
    pub(super) fn pause(&mut self, written: u64) {
        if self.began.elapsed() < TURN {
            return;
        }
        if written != self.written {
            thread::sleep(REST);
        }
        *self = Self::new(written);
    }
}
