//! The response body: streamed as it comes; its end gives the connection back.

use super::error::BodyError;
use super::lanes::{Link, Peer, Spare};
use super::metrics::count;
use super::outgoing::{Awaits, Progress};
use super::reaper::start_reaper;
use super::shared::Shared;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long a connection may take to finish its own side after the body's end was read.
const SETTLE: Duration = Duration::from_secs(1);

/// A response body from the app: data and trailers, no more in memory than one read.
/// Dropping it before its end closes the connection (HTTP/1) or resets the stream (HTTP/2).
pub struct UpstreamBody {
    /// Gone once it failed: whoever still holds the body holds no connection by it.
    inner: Option<Incoming>,
    /// Gone once the connection was given back.
    held: Option<Held>,
    peer: Option<Peer>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether a timer is running for the present wait.
    armed: bool,
}

/// What a request holds from its sending to the end of its response.
pub(super) struct Held {
    pub(super) link: Option<Link>,
    pub(super) upload: Option<Arc<Progress>>,
    pub(super) flight: Flight,
}

/// One request in flight, counted until it is dropped.
pub(super) struct Flight {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: usize,
    pub(super) target: usize,
}

impl Flight {
    pub(super) fn new(shared: &Arc<Shared>, lane: usize, target: usize) -> Self {
        let flight = Self {
            shared: Arc::clone(shared),
            lane,
            target,
        };
        flight.change(|active| {
            active.fetch_add(1, Ordering::AcqRel);
        });
        flight
    }

    fn change(&self, change: impl FnOnce(&std::sync::atomic::AtomicUsize)) {
        if let Some(active) = self.shared.lane(self.lane).active.get(self.target) {
            change(active);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.change(|active| {
            active.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

impl Held {
    /// Gives the connection back, if nothing of this request is left on it.
    fn give_back(mut self) {
        let Some(Link::Http1(sender, peer)) = self.link.take() else {
            return;
        };
        let uploaded = self
            .upload
            .as_ref()
            .is_none_or(|upload| upload.awaits() == Awaits::Nobody);
        if !uploaded || sender.is_closed() {
            return;
        }
        let Flight {
            shared,
            lane,
            target,
        } = &self.flight;
        let spare = Spare {
            target: *target,
            sender,
            peer,
        };
        if spare.sender.is_ready() {
            keep(shared, *lane, spare);
        } else {
            settle(Arc::clone(shared), *lane, spare);
        }
    }
}

fn keep(shared: &Arc<Shared>, lane: usize, spare: Spare) {
    let place = shared.lane(lane);
    let max = shared.settings.max_idle;
    let put = |spare| place.keep(spare, max, || start_reaper(shared, lane));
    let Some(spare) = shared.limit.offer(spare) else {
        return;
    };
    put(spare);
    // Somebody may have begun to wait after the offer, and looked here before it was put: after this look
    // one of the two has seen the other.
    if shared.limit.waiting() > 0 {
        let again = place.take_any().and_then(|spare| shared.limit.offer(spare));
        if let Some(spare) = again {
            put(spare);
        }
    }
}

/// The connection's own task has yet to see the end that the reader saw.
fn settle(shared: Arc<Shared>, lane: usize, mut spare: Spare) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let ready = tokio::time::timeout(SETTLE, spare.sender.ready()).await;
        if matches!(ready, Ok(Ok(()))) {
            keep(&shared, lane, spare);
        }
    });
}

impl UpstreamBody {
    pub(super) fn new(inner: Incoming, held: Held, peer: Option<Peer>, idle: Duration) -> Self {
        let mut body = Self {
            inner: Some(inner),
            held: Some(held),
            peer,
            idle,
            timer: None,
            armed: false,
        };
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// Where the connection leads that brings this response.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    fn finish(&mut self) {
        if let Some(held) = self.held.take() {
            held.give_back();
        }
    }

    fn fail(&mut self) {
        self.inner = None;
        if let Some(held) = self.held.take() {
            let Flight { shared, lane, .. } = &held.flight;
            count(&shared.lane(*lane).counts.failed_body);
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.idle.is_zero() {
            return Poll::Pending;
        }
        if !self.armed {
            self.armed = true;
            let deadline = Instant::now() + self.idle;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.armed = false;
                if this.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(cause))) => {
                this.fail();
                Poll::Ready(Some(Err(BodyError::Broken(cause))))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending if this.poll_idle(cx).is_ready() => {
                this.fail();
                Poll::Ready(Some(Err(BodyError::Idle(this.idle))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(SizeHint::new, Incoming::size_hint)
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody")
            .field("size", &self.size_hint())
            .finish_non_exhaustive()
    }
}
