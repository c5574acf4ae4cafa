//! How many connections an upstream has at once, and who waits for one.

use super::lanes::Spare;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Permits for new connections, and a queue through which freed ones are handed on.
#[derive(Debug)]
pub(super) struct Limit {
    permits: Arc<Semaphore>,
    max: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
    queue: Mutex<VecDeque<oneshot::Sender<Spare>>>,
}

/// What a wait ended with.
#[derive(Debug)]
pub(super) enum Turn {
    /// A new connection may be made.
    Permit(OwnedSemaphorePermit),
    /// Somebody else's connection became free.
    Spare(Spare),
}

/// Why there is no turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// Too many wait already.
    TooMany,
    /// None came in time.
    Timeout,
}

/// Counts one who waits, also when its request is dropped.
struct Waiter<'a>(&'a Limit);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.queue.lock().retain(|sender| !sender.is_closed());
    }
}

impl Limit {
    pub(super) fn new(max: usize, max_waiting: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max)),
            max,
            waiting: AtomicUsize::new(0),
            max_waiting,
            queue: Mutex::new(VecDeque::new()),
        }
    }

    /// A permit if one is free now.
    pub(super) fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Waits for a permit or a freed connection, whichever is first. `look` finds a connection that was kept
    /// in the moment before it was known that somebody waits.
    pub(super) async fn wait(
        &self,
        at_most: Duration,
        look: impl FnOnce() -> Option<Spare>,
    ) -> Result<Turn, NoTurn> {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.max_waiting {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(NoTurn::TooMany);
        }
        let (sender, freed) = oneshot::channel();
        // Dropped after the receiver, so that its own entry counts as closed.
        let waiter = Waiter(self);
        self.queue.lock().push_back(sender);
        if let Some(spare) = look() {
            drop(freed);
            drop(waiter);
            return Ok(Turn::Spare(spare));
        }
        let turn = async {
            tokio::select! {
                biased;
                Ok(spare) = freed => Some(Turn::Spare(spare)),
                Ok(permit) = Arc::clone(&self.permits).acquire_owned() => Some(Turn::Permit(permit)),
                else => None,
            }
        };
        let outcome = tokio::time::timeout(at_most, turn).await;
        drop(waiter);
        outcome.ok().flatten().ok_or(NoTurn::Timeout)
    }

    /// Hands a freed connection to whoever waits longest; gives it back if nobody does.
    pub(super) fn offer(&self, mut spare: Spare) -> Option<Spare> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Some(spare);
        }
        while let Some(waiter) = { self.queue.lock().pop_front() } {
            match waiter.send(spare) {
                Ok(()) => return None,
                Err(back) => spare = back,
            }
        }
        Some(spare)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> usize {
        self.max.saturating_sub(self.permits.available_permits())
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }
}
