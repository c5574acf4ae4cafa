//! The rewriting as an `http_body::Body`: pull one frame, push it through, give what came out.

use super::error::RewriteError;
use super::stream::Stream;
use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Why a rewritten body ended before its time.
#[derive(Debug)]
pub enum BodyError<E> {
    /// The app's body failed.
    App(E),
    /// The document could not carry on.
    Rewrite(RewriteError),
}

impl<E: fmt::Display> fmt::Display for BodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(_) => f.write_str("the app's answer broke off"),
            Self::Rewrite(_) => f.write_str("the banner could not be put into the app's answer"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for BodyError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::App(cause) => Some(cause),
            Self::Rewrite(cause) => Some(cause),
        }
    }
}

pin_project! {
    /// A body with the banner in it. Trailers are dropped: digests in them are of other bytes.
    pub struct Carried<B> {
        #[pin]
        inner: B,
        stream: Option<Stream>,
        // Compressed bytes not yet looked at: they are taken in small pieces, so that one frame stays small.
        rest: Bytes,
    }
}

impl<B> Carried<B> {
    pub fn new(inner: B, stream: Stream) -> Self {
        Self {
            inner,
            stream: Some(stream),
            rest: Bytes::new(),
        }
    }
}

/// The most bytes of the app's body that make one frame, unless they pass untouched.
const PIECE: usize = 8 * 1024;

impl<B: Body<Data = Bytes>> Body for Carried<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        loop {
            let Some(stream) = this.stream.as_mut() else {
                return Poll::Ready(None);
            };
            if this.rest.is_empty() {
                match ready!(this.inner.as_mut().poll_frame(cx)) {
                    Some(Ok(frame)) => *this.rest = frame.into_data().unwrap_or_default(),
                    Some(Err(cause)) => {
                        *this.stream = None;
                        return Poll::Ready(Some(Err(BodyError::App(cause))));
                    }
                    None => {
                        let last = this.stream.take().map(Stream::finish);
                        return Poll::Ready(match last {
                            Some(Ok(bytes)) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
                            Some(Err(cause)) => Some(Err(BodyError::Rewrite(cause))),
                            _ => None,
                        });
                    }
                }
            }
            let piece = if stream.is_pass_through() {
                std::mem::take(this.rest)
            } else {
                this.rest.split_to(this.rest.len().min(PIECE))
            };
            match stream.push(piece) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(cause) => {
                    *this.stream = None;
                    return Poll::Ready(Some(Err(BodyError::Rewrite(cause))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_none()
    }
}
