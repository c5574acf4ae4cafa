//! The request body on its way to the app, and what is known of its progress.

use super::Cause;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

type Boxed = Pin<Box<dyn Body<Data = Bytes, Error = Cause> + Send>>;

/// One type for every request body, so that connections can be pooled. An empty one costs nothing.
pub(super) enum Outgoing {
    Empty,
    Streamed(Streamed),
}

/// A body that comes piece by piece.
pub(super) struct Streamed {
    body: Boxed,
    progress: Arc<Progress>,
    /// Bytes still to come, where the head declares how many there are: the encoder stops asking then.
    left: Option<u64>,
}

/// Who has to move next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The client, for the next piece.
    Client,
    /// The app, to take what there is.
    Upstream,
    /// Nobody: all of it was handed over.
    Nobody,
    /// The client's body broke.
    Broken,
}

/// Shared between the body, which hyper owns while it sends, and the request's own future.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    /// Milliseconds after `start` when something last moved.
    moved: AtomicU64,
    awaits: AtomicU8,
}

impl Progress {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            moved: AtomicU64::new(0),
            awaits: AtomicU8::new(1),
        }
    }

    pub(super) fn awaits(&self) -> Awaits {
        match self.awaits.load(Ordering::Acquire) {
            0 => Awaits::Client,
            1 => Awaits::Upstream,
            2 => Awaits::Nobody,
            _ => Awaits::Broken,
        }
    }

    /// When something last moved.
    pub(super) fn moved(&self) -> Instant {
        self.start + Duration::from_millis(self.moved.load(Ordering::Acquire))
    }

    fn set(&self, awaits: Awaits) {
        let code = match awaits {
            Awaits::Client => 0,
            Awaits::Upstream => 1,
            Awaits::Nobody => 2,
            Awaits::Broken => 3,
        };
        let was = self.awaits.swap(code, Ordering::AcqRel);
        // Asking the client twice in a row moves nothing.
        if was != code || awaits != Awaits::Client {
            let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.moved.store(since, Ordering::Release);
        }
    }
}

impl Outgoing {
    /// `declared` is the head's `Content-Length`.
    pub(super) fn new<B>(body: B, declared: Option<u64>) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Streamed(Streamed {
            left: declared.or(body.size_hint().exact()),
            body: Box::pin(http_body_util::BodyExt::map_err(body, Into::into)),
            progress: Arc::new(Progress::new()),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Empty => None,
            Self::Streamed(streamed) => Some(Arc::clone(&streamed.progress)),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        let streamed = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Streamed(streamed) => streamed,
        };
        let polled = streamed.body.as_mut().poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(left)) = (&polled, &mut streamed.left) {
            let taken = frame.data_ref().map_or(0, Bytes::len);
            *left = left.saturating_sub(taken as u64);
        }
        let complete = streamed.left == Some(0) || streamed.body.is_end_stream();
        streamed.progress.set(match &polled {
            Poll::Pending => Awaits::Client,
            Poll::Ready(Some(Ok(_))) if complete => Awaits::Nobody,
            Poll::Ready(Some(Ok(_))) => Awaits::Upstream,
            Poll::Ready(None) => Awaits::Nobody,
            Poll::Ready(Some(Err(_))) => Awaits::Broken,
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Empty" } else { "Streamed" })
    }
}
