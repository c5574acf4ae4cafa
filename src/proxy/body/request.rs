//! The request body towards the upstream.

use super::Cut;
use super::tally::{Digest, Failure, Tally};
use crate::audit::recording::{Tap, Which};
use crate::policy::OverrideScan;
use crate::proxy::canonical::Spoofable;
use crate::proxy::guard::is_forbidden_trailer;
use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// What bounds a request body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Bytes; 0 means any number.
    pub max_bytes: u64,
    pub digest: bool,
    /// How long the client may send nothing of it; zero never ends.
    pub idle: Duration,
}

/// A client's body, with what policy had to read of it given again first.
#[derive(Debug)]
pub struct RequestBody {
    /// What was buffered for the policy.
    first: Option<Bytes>,
    rest: Option<Incoming>,
    bounds: Bounds,
    tally: Arc<Tally>,
    digest: Digest,
    cut: Option<Cut>,
    /// Runs while nothing comes.
    idle: Option<Pin<Box<Sleep>>>,
    /// Looks for a `_method` field in a form that streams by.
    scan: Option<OverrideScan>,
    strip: Option<Arc<Spoofable>>,
    tap: Option<Tap>,
}

impl RequestBody {
    pub fn new(
        first: Option<Bytes>,
        rest: Option<Incoming>,
        bounds: Bounds,
        cut: Option<Cut>,
    ) -> (Self, Arc<Tally>) {
        let tally = Arc::new(Tally::default());
        let mut digest = Digest::new(bounds.digest);
        if first.is_none() && rest.as_ref().is_none_or(Body::is_end_stream) {
            tally.complete(digest.finish());
        }
        let body = Self {
            first,
            rest,
            bounds,
            tally: Arc::clone(&tally),
            digest,
            cut,
            idle: None,
            scan: None,
            strip: None,
            tap: None,
        };
        (body, tally)
    }

    /// Takes from the trailers what the client may not say.
    #[must_use]
    pub fn stripped(mut self, strip: &Arc<Spoofable>) -> Self {
        self.strip = Some(Arc::clone(strip));
        self
    }

    /// Records what passes.
    #[must_use]
    pub fn taped(mut self, tap: Option<&Tap>) -> Self {
        self.tap = tap.cloned();
        self
    }

    /// Cuts the body where a form field asks for another method.
    #[must_use]
    pub fn scanned(mut self, scan: Option<OverrideScan>) -> Self {
        self.scan = scan;
        self
    }

    fn took(&mut self, data: &Bytes) -> Result<(), Failure> {
        let sum = self.tally.add(data.len());
        if self.bounds.max_bytes != 0 && sum > self.bounds.max_bytes {
            return Err(self.failed(Failure::TooLarge));
        }
        let is_last = self.first.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream);
        let overrides = |scan: &mut OverrideScan| scan.feed(data) || (is_last && scan.finish());
        if self.scan.as_mut().is_some_and(overrides) {
            return Err(self.failed(Failure::MethodOverride));
        }
        if let Some(tap) = &self.tap
            && tap.data(Which::Request, data).is_err()
        {
            return Err(self.failed(Failure::Unrecorded));
        }
        self.digest.update(data);
        if self.first.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream) {
            self.tally.complete(self.digest.finish());
        }
        Ok(())
    }

    /// RFC 9110 §6.5.1. Over HTTP/1 the guard has looked already; over HTTP/2 nobody has. What only Locum may say
    /// goes silently, as it does from the head.
    fn checked(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let Some(trailers) = frame.trailers_mut() else {
            return Ok(frame);
        };
        let is_forbidden = |name: &HeaderName| is_forbidden_trailer(name.as_str().as_bytes());
        if trailers.keys().any(is_forbidden) {
            return Err(self.failed(Failure::Trailer));
        }
        if let Some(strip) = &self.strip {
            strip.strip(trailers);
        }
        Ok(frame)
    }

    fn failed(&mut self, failure: Failure) -> Failure {
        self.tally.fail(failure);
        self.first = None;
        self.rest = None;
        failure
    }

    /// Nothing came: has the session ended meanwhile, or has the client been silent too long?
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let is_over = self
            .cut
            .as_mut()
            .is_some_and(|cut| cut.poll_over(cx).is_ready());
        if is_over {
            return Poll::Ready(self.failed(Failure::Ended));
        }
        if self.bounds.idle.is_zero() {
            return Poll::Pending;
        }
        let idle = self.bounds.idle;
        let timer = self
            .idle
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(self.failed(Failure::Idle))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if this.cut.as_ref().is_some_and(Cut::is_over) {
            return Poll::Ready(Some(Err(this.failed(Failure::Ended))));
        }
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(this.took(&first).map(|()| Frame::data(first))));
        }
        let Some(rest) = this.rest.as_mut() else {
            return Poll::Ready(None);
        };
        match Pin::new(rest).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.idle = None;
                let counted = frame
                    .data_ref()
                    .map_or(Ok(()), |data| this.took(&data.clone()));
                Poll::Ready(Some(counted.and_then(|()| this.checked(frame))))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.failed(Failure::Client)))),
            Poll::Ready(None) if this.scan.as_ref().is_some_and(OverrideScan::finish) => {
                Poll::Ready(Some(Err(this.failed(Failure::MethodOverride))))
            }
            Poll::Ready(None) => {
                if !this.tally.is_complete() {
                    this.tally.complete(this.digest.finish());
                }
                Poll::Ready(None)
            }
            Poll::Pending => this.poll_waiting(cx).map(|failure| Some(Err(failure))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
            && self.tally.failure().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let rest = self
            .rest
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut sum = SizeHint::new();
        if let Some(upper) = rest.upper() {
            sum.set_upper(upper.saturating_add(first));
        }
        sum.set_lower(rest.lower().saturating_add(first));
        sum
    }
}
