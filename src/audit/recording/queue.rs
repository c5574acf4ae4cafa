//! Between the data plane and the recorder: a queue bounded in bytes, not in pieces.

use super::counters::{Counters, add};
use super::work::Work;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What a piece costs besides its bytes.
const OVERHEAD: usize = 256;

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    held: AtomicUsize,
    max: usize,
    pub(super) counters: Arc<Counters>,
    /// Nothing can be written at present: what must be recorded is refused before it begins.
    pub(super) is_down: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<(Work, usize)>,
    is_over: bool,
}

impl Queue {
    pub(super) fn new(max: usize, counters: Arc<Counters>) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            held: AtomicUsize::new(0),
            max,
            counters,
            is_down: AtomicBool::new(false),
        }
    }

    /// Gives `bytes` of an exchange to the recorder; false where there is no room.
    pub(super) fn offer(&self, work: Work, bytes: usize) -> bool {
        let cost = bytes + OVERHEAD;
        let before = self.held.fetch_add(cost, Ordering::Relaxed);
        if before + cost > self.max {
            self.held.fetch_sub(cost, Ordering::Relaxed);
            add(&self.counters.overruns, 1);
            return false;
        }
        self.push(work, cost)
    }

    /// Gives what the recorder must get: one for each begin and end. False where the recorder is gone.
    pub(super) fn put(&self, work: Work) -> bool {
        self.held.fetch_add(OVERHEAD, Ordering::Relaxed);
        self.push(work, OVERHEAD)
    }

    fn push(&self, work: Work, cost: usize) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_over {
            drop(waiting);
            self.done(cost);
            return false;
        }
        waiting.work.push_back((work, cost));
        let is_first = waiting.work.len() == 1;
        drop(waiting);
        if is_first {
            self.wake.notify_one();
        }
        true
    }

    /// All that waits; nothing where nothing came for `wait`.
    pub(super) fn take(&self, wait: Duration) -> VecDeque<(Work, usize)> {
        let mut waiting = self.waiting.lock();
        if waiting.work.is_empty() {
            self.wake.wait_for(&mut waiting, wait);
        }
        std::mem::take(&mut waiting.work)
    }

    /// A piece of work is done: its bytes are let go.
    pub(super) fn done(&self, cost: usize) {
        self.held.fetch_sub(cost, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// More than a quarter waits: time for less effort.
    pub(super) fn is_behind(&self) -> bool {
        self.held() > self.max / 4
    }

    /// Takes nothing more, and gives what came meanwhile.
    pub(super) fn close(&self) -> VecDeque<(Work, usize)> {
        let mut waiting = self.waiting.lock();
        waiting.is_over = true;
        std::mem::take(&mut waiting.work)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({} of {} bytes)", self.held(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_and_ends_never_refused() {
        let queue = Queue::new(1000, Arc::default());
        let work = || Work::SessionEnded(crate::model::SessionId::fresh());
        assert!(queue.offer(work(), 500));
        assert!(!queue.offer(work(), 500));
        assert!(queue.put(work()));
        let taken = queue.take(Duration::ZERO);
        assert_eq!(taken.len(), 2);
        for (_, cost) in &taken {
            queue.done(*cost);
        }
        assert_eq!(queue.held(), 0);
        assert!(queue.offer(work(), 500));
        assert_eq!(queue.close().len(), 1);
        assert!(!queue.put(work()));
    }
}
