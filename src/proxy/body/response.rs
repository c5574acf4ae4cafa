//! The response body towards the client.

use super::Cut;
use super::end::End;
use super::tally::Digest;
use super::trailers;
use crate::audit::recording::{Tap, Which};
use crate::proxy::close::Closer;
use crate::proxy::worker::Taken;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Anything that goes wrong below; the client sees only a broken connection.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where the bytes come from.
pub type Source = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// The most bytes that a transform takes at once whose output may be far longer.
const PIECE: usize = 16 * 1024;

/// A body changed while it streams: decode, banner, origins, encode.
pub trait Transform: Send {
    /// Takes the next bytes, returns what may leave now, in pieces (perhaps none).
    fn push(&mut self, chunk: Bytes) -> Result<VecDeque<Bytes>, BoxError>;

    /// Whether what comes out may be far longer than what goes in: then it is given little at a time.
    fn unfolds(&self) -> bool {
        true
    }

    /// The end of the body: whatever is left.
    fn finish(&mut self) -> Result<Bytes, BoxError>;
}

/// Errors that end a response in its middle.
#[derive(Debug)]
pub struct Broken(End);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response ended early: {:?}", self.0)
    }
}

impl std::error::Error for Broken {}

/// The body of every response that Locum gives.
pub struct ResponseBody {
    source: Option<Source>,
    transform: Option<Box<dyn Transform>>,
    /// What of the app's last piece the transform has not seen yet.
    rest: Bytes,
    /// What the client does not have yet of what the transform has made, or of a page of Locum's own.
    ready: VecDeque<Bytes>,
    close: Option<Closer>,
    cut: Option<Cut>,
    digest: Digest,
    /// Bytes towards the client.
    sent: u64,
    /// Its connection's mark that something is under way.
    busy: Option<Arc<Taken>>,
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseBody(sent: {})", self.sent)
    }
}

impl ResponseBody {
    /// A body of Locum's own. Nothing is left to close.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::pieces(VecDeque::from([bytes.into()]))
    }

    /// [`Self::whole`], in pieces.
    pub fn pieces(mut pieces: VecDeque<Bytes>) -> Self {
        pieces.retain(|piece| !piece.is_empty());
        Self {
            source: None,
            transform: None,
            rest: Bytes::new(),
            ready: pieces,
            close: None,
            cut: None,
            digest: Digest::new(false),
            sent: 0,
            busy: None,
        }
    }

    /// Keeps `busy` until it is dropped.
    pub fn keeping(mut self, busy: Option<Arc<Taken>>) -> Self {
        self.busy = busy;
        self
    }

    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// An upstream's body that nobody enforces anything on (inline placement, ordinary request).
    pub fn passed(source: Source) -> Self {
        let mut body = Self::empty();
        body.source = Some(source);
        body
    }

    /// An upstream's body inside an exchange: `close` is told how it ended.
    pub fn streamed(source: Source, close: Closer, cut: Cut, digest: bool) -> Self {
        let is_empty = source.is_end_stream();
        let mut body = Self::passed(source);
        body.close = Some(close);
        body.cut = Some(cut);
        body.digest = Digest::new(digest);
        if is_empty {
            body.ended(End::Done);
        }
        body
    }

    /// Changes the bytes on their way.
    pub fn transformed(mut self, transform: Box<dyn Transform>) -> Self {
        if let Some(tap) = self.tap() {
            tap.rewrites();
        }
        if self.source.is_some() {
            self.transform = Some(transform);
        }
        self
    }

    /// The bytes of a body of Locum's own.
    pub fn own(&self) -> Option<Bytes> {
        if self.source.is_some() || self.ready.is_empty() {
            return None;
        }
        let mut whole = Vec::new();
        self.ready
            .iter()
            .for_each(|piece| whole.extend_from_slice(piece));
        Some(whole.into())
    }

    fn tap(&self) -> Option<&Tap> {
        self.close.as_ref()?.tap.as_ref()
    }

    /// Where the exchange is recorded: these bytes are too.
    fn tape(&self, side: Which, bytes: &Bytes) -> Result<(), End> {
        match self.tap() {
            None => Ok(()),
            Some(tap) => tap.data(side, bytes).map_err(|_| End::Unrecorded),
        }
    }

    fn ended(&mut self, end: End) {
        self.source = None;
        if let Some(close) = self.close.take() {
            close.response_ended(end, self.sent, self.digest.finish());
        }
    }

    fn broke(&mut self, end: End) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.ended(end);
        Poll::Ready(Some(Err(Broken(end))))
    }

    /// The next piece for the client out of what the app sent; `None` when all of that is used up.
    fn next_piece(&mut self) -> Result<Option<Bytes>, End> {
        loop {
            while let Some(out) = self.ready.pop_front() {
                if out.is_empty() {
                    continue;
                }
                self.tape(Which::Shown, &out)?;
                self.sent += out.len() as u64;
                return Ok(Some(out));
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
            let Some(transform) = &mut self.transform else {
                let out = std::mem::take(&mut self.rest);
                self.sent += out.len() as u64;
                return Ok(Some(out));
            };
            // Small pieces: what is compressed may unfold to a thousand times as much.
            let most = if transform.unfolds() {
                PIECE
            } else {
                usize::MAX
            };
            let piece = self.rest.split_to(self.rest.len().min(most));
            self.ready = transform
                .push(piece)
                .map_err(|error| rewrite_failed(&error))?;
        }
    }

    fn last(&mut self) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let rest = match self
            .transform
            .take()
            .map(|mut transform| transform.finish())
        {
            None => Bytes::new(),
            Some(Ok(rest)) => rest,
            Some(Err(error)) => {
                let end = rewrite_failed(&error);
                return self.broke(end);
            }
        };
        // The transform is gone: what is left here was shown, and nothing of it was received.
        if let Err(end) = self.tape(Which::Shown, &rest) {
            return self.broke(end);
        }
        self.sent += rest.len() as u64;
        self.ended(End::Done);
        if rest.is_empty() {
            Poll::Ready(None)
        } else {
            Poll::Ready(Some(Ok(Frame::data(rest))))
        }
    }

    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.cut
            .as_mut()
            .is_some_and(|cut| cut.poll_over(cx).is_ready())
    }
}

fn rewrite_failed(error: &BoxError) -> End {
    tracing::warn!(%error, "a response could not carry what it must and was ended; it was not passed on");
    End::Rewrite
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            if this.source.is_some() && this.cut.as_ref().is_some_and(Cut::is_over) {
                return this.broke(End::Cut);
            }
            match this.next_piece() {
                Err(end) => return this.broke(end),
                Ok(Some(out)) => {
                    // hyper stops asking once Content-Length is reached, so the end is looked for here too.
                    if this.transform.is_none()
                        && this
                            .source
                            .as_ref()
                            .is_some_and(http_body::Body::is_end_stream)
                    {
                        this.ended(End::Done);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(out))));
                }
                Ok(None) => {}
            }
            let Some(source) = this.source.as_mut() else {
                return Poll::Ready(None);
            };
            let frame = match source.as_mut().poll_frame(cx) {
                Poll::Pending => {
                    return if this.is_cut(cx) {
                        this.broke(End::Cut)
                    } else {
                        Poll::Pending
                    };
                }
                Poll::Ready(None) => return this.last(),
                Poll::Ready(Some(Err(_))) => return this.broke(End::Upstream),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            match frame.into_data() {
                Ok(data) => {
                    this.digest.update(&data);
                    if let Err(end) = this.tape(Which::Received, &data) {
                        return this.broke(end);
                    }
                    this.rest = data;
                }
                // Trailers: gRPC needs them; after a rewrite they would describe other bytes.
                Err(mut frame) if this.transform.is_none() => {
                    if let Some(fields) = frame.trailers_mut() {
                        trailers::clean(fields);
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Err(_) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.source, &self.transform) {
            (None, _) => {
                let lengths = self.ready.iter().map(|piece| piece.len() as u64);
                SizeHint::with_exact(lengths.sum())
            }
            (Some(source), None) => source.size_hint(),
            (Some(_), Some(_)) => SizeHint::default(),
        }
    }
}

/// Dropped with its source still open: the client went away.
impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.close.is_some() {
            self.ended(End::Aborted);
        }
    }
}
