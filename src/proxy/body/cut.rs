//! The end of a session, seen from inside a body.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Watches one session's end. The waiter is made only once a body has to wait: most never do.
pub struct Cut {
    ended: CancellationToken,
    waiter: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Cut {
    pub fn new(ended: CancellationToken) -> Self {
        Self {
            ended,
            waiter: None,
        }
    }

    /// Whether the session is over by now. Costs one atomic load.
    pub fn is_over(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ready when the session is over; else the task is woken when it will be.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        let waiter = self
            .waiter
            .get_or_insert_with(|| Box::pin(self.ended.clone().cancelled_owned()));
        waiter.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cut(over: {})", self.is_over())
    }
}
