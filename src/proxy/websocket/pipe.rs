//! One direction's bytes on their way. All state is in the struct, so that a relay that stops knows exactly
//! what was sent and what was not.

use super::Observer;
use super::inspect::{Inspector, Refusal};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const READ_BYTES: usize = 8 * 1024;

/// Bytes that may be sent and are not yet.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    out: Vec<u8>,
    sent: usize,
    is_flushed: bool,
    is_ended: bool,
}

/// Why a direction stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The reader ended, and the writer was told.
    End,
    Refused(Refusal),
    /// What was to be sent on must be recorded and could not be.
    Unrecorded,
    ReadFailed(io::Error),
    WriteFailed(io::Error),
}

impl Pipe {
    /// Moves bytes from `reader` to `writer` until it cannot.
    pub(super) fn poll<R, W>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        inspector: &mut Inspector<'_>,
        observer: &mut dyn Observer,
        cx: &mut Context<'_>,
    ) -> Poll<Stop>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if let Err(error) = ready!(self.poll_send(writer, cx)) {
                return Poll::Ready(Stop::WriteFailed(error));
            }
            if self.is_ended {
                let _ = ready!(Pin::new(&mut *writer).poll_shutdown(cx));
                return Poll::Ready(Stop::End);
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *reader).poll_read(cx, &mut read)) {
                Err(error) => return Poll::Ready(Stop::ReadFailed(error)),
                Ok(()) if read.filled().is_empty() => self.is_ended = true,
                Ok(()) => {
                    let pushed = inspector.push(read.filled(), &mut self.out, observer);
                    if observer.passing(inspector.direction, &self.out).is_err() {
                        self.out.clear();
                        return Poll::Ready(Stop::Unrecorded);
                    }
                    if let Err(refusal) = pushed {
                        return Poll::Ready(Stop::Refused(refusal));
                    }
                }
            }
        }
    }

    /// Sends what there is and flushes.
    pub(super) fn poll_send<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(unsent @ [_, ..]) = self.out.get(self.sent..) {
            match ready!(Pin::new(&mut *writer).poll_write(cx, unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut *writer).poll_flush(cx))?;
            self.is_flushed = true;
        }
        // An idle connection keeps no buffer.
        if !self.out.is_empty() {
            self.out = Vec::new();
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Adds a frame of our own to what is to be sent.
    pub(super) fn append(&mut self, frame: &[u8]) {
        self.out.extend_from_slice(frame);
        self.is_flushed = false;
    }
}
