//! The stream that hyper reads instead of the socket's own.

use super::framing::{Framing, Outcome, Release};
use super::{Fault, Limits, Notes};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// Reads land here and are judged here, then the good part is copied to hyper. One for each thread and
    /// not one for each connection, so that an idle connection holds no buffer.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
enum Mode {
    Guarding,
    /// A synthetic request is out; what still comes in, up to so many bytes, is thrown away.
    Refused(usize),
    /// The body's error was returned.
    Broken,
}

/// Sits between a byte stream (TCP, TLS, Unix socket) and hyper's HTTP/1 server. Reads are guarded, writes
/// pass. After [`Notes::release`] reads pass too.
pub struct Guard<I> {
    inner: I,
    framing: Framing,
    mode: Mode,
    limits: Limits,
    notes: Arc<Notes>,
    /// When the head of this number must be complete; there only while one is held.
    deadline: Option<(u64, Pin<Box<Sleep>>)>,
    /// The start of a head, a chunk line or a trailer section, not yet judged to its end.
    held: Vec<u8>,
    /// Judged, but more than hyper's buffer had room for; given out from `given` on.
    ready: Vec<u8>,
    given: usize,
    /// The answer to what was read last has let the other tasks that are ready go first.
    has_waited: bool,
    /// It is doing so now: what comes in meanwhile does not make it wait again.
    is_waiting: bool,
}

impl<I> Guard<I> {
    /// Guards `inner`, a connection that speaks HTTP/1 from its first byte. Its service reads the same `notes`.
    pub fn new(inner: I, limits: Limits, notes: Arc<Notes>) -> Self {
        Self {
            inner,
            framing: Framing::new(),
            mode: Mode::Guarding,
            limits,
            notes,
            deadline: None,
            held: Vec::new(),
            ready: Vec::new(),
            given: 0,
            has_waited: false,
            is_waiting: false,
        }
    }

    /// Whether an answer's first write has to wait for the tasks that are ready now. Answers that were made in one turn of the
    /// event loop then go out one right after another: whoever takes them on this machine, a client or another proxy, is
    /// woken by the first and still awake for the others. Each waking up costs a request more than its session's check.
    fn must_wait(&mut self, cx: &Context<'_>) -> bool {
        self.is_waiting = !std::mem::replace(&mut self.has_waited, true);
        if self.is_waiting {
            cx.waker().wake_by_ref();
        }
        self.is_waiting
    }

    /// The stream underneath.
    pub fn inner(&self) -> &I {
        &self.inner
    }

    /// Gives `buf` what is ready; what does not fit waits.
    fn give(&mut self, bytes: &[u8], buf: &mut ReadBufCursor<'_>) {
        let (now, later) = bytes.split_at(bytes.len().min(buf.remaining()));
        buf.put_slice(now);
        if !later.is_empty() {
            self.ready.extend_from_slice(later);
        }
    }

    fn give_ready(&mut self, buf: &mut ReadBufCursor<'_>) -> bool {
        let waiting = self.ready.get(self.given..).unwrap_or_default();
        if waiting.is_empty() {
            return false;
        }
        let length = waiting.len().min(buf.remaining());
        buf.put_slice(waiting.get(..length).unwrap_or_default());
        self.given += length;
        if self.given == self.ready.len() {
            self.ready = Vec::new();
            self.given = 0;
        }
        true
    }

    /// Judges what was read. True when there was something to give.
    fn judge(&mut self, read: &[u8], buf: &mut ReadBufCursor<'_>) -> io::Result<bool> {
        if self.held.is_empty() {
            return self.judge_all(read, buf);
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(read);
        self.judge_all(&held, buf)
    }

    fn judge_all(&mut self, input: &[u8], buf: &mut ReadBufCursor<'_>) -> io::Result<bool> {
        let mut release = Release::default();
        let outcome = self
            .framing
            .digest(input, &mut release, &self.notes, &self.limits);
        match outcome {
            Outcome::Hold(from) => {
                if from < input.len() {
                    self.held = input.get(from..).unwrap_or_default().to_vec();
                }
            }
            Outcome::Refused => self.mode = Mode::Refused(self.limits.max_drain_bytes),
            Outcome::Broken(fault) => {
                self.mode = Mode::Broken;
                return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
            }
        }
        let bytes = release.bytes(input);
        self.give(bytes, buf);
        Ok(!bytes.is_empty())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Guard<I> {
    fn poll_guarded(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = scratch.len().min(buf.remaining());
            let mut read = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            if Pin::new(&mut self.inner)
                .poll_read(cx, &mut read)?
                .is_pending()
            {
                ready!(self.poll_deadline(cx));
                self.give_up(buf);
                return Poll::Ready(Ok(()));
            }
            let read = read.filled();
            if read.is_empty() || self.judge(read, buf)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Ready when a head that has begun is overdue.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(number) = self.framing.unfinished(&self.held) else {
            self.deadline = None;
            return Poll::Pending;
        };
        let timeout = self.limits.header_timeout;
        let fresh = || (number, Box::pin(tokio::time::sleep(timeout)));
        if self.deadline.as_ref().is_none_or(|(at, _)| *at != number) {
            self.deadline = None;
        }
        let (_, deadline) = self.deadline.get_or_insert_with(fresh);
        deadline.as_mut().poll(cx)
    }

    fn give_up(&mut self, buf: &mut ReadBufCursor<'_>) {
        let held = std::mem::take(&mut self.held);
        let synthetic = self
            .framing
            .give_up(&held, Fault::HeadTimeout, &self.notes, &self.limits);
        self.mode = Mode::Refused(self.limits.max_drain_bytes);
        self.deadline = None;
        self.give(synthetic, buf);
    }

    fn poll_transparent(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.give(&held, buf);
            return Poll::Ready(Ok(()));
        }
        let room = scratch.len().min(buf.remaining());
        let mut read = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }

    /// Throws away what still comes. Closing a socket with unread input resets the connection, and the reset
    /// may overtake the answer. Never reports the end: hyper would drop the request being answered.
    fn poll_drain(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) {
        while let Mode::Refused(left @ 1..) = self.mode {
            let mut read = ReadBuf::new(scratch);
            let polled = Pin::new(&mut self.inner).poll_read(cx, &mut read);
            let Poll::Ready(Ok(())) = polled else { return };
            self.mode = Mode::Refused(match read.filled().len() {
                0 => 0,
                length => left.saturating_sub(length),
            });
        }
    }

    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.notes.is_released() {
            return self.poll_transparent(cx, scratch, buf);
        }
        match self.mode {
            Mode::Guarding => self.poll_guarded(cx, scratch, buf),
            Mode::Refused(_) => {
                self.poll_drain(cx, scratch);
                Poll::Pending
            }
            Mode::Broken => Poll::Pending,
        }
    }
}

/// Lends the thread's scratch buffer. Reentrant: the inner use makes its own.
fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut scratch = SCRATCH.take();
    if scratch.is_empty() {
        scratch = vec![0; SCRATCH_BYTES];
    }
    let result = use_it(&mut scratch);
    SCRATCH.set(scratch);
    result
}

impl<I: AsyncRead + AsyncWrite + Unpin> Read for Guard<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 || self.give_ready(&mut buf) {
            return Poll::Ready(Ok(()));
        }
        let polled = with_scratch(|scratch| self.poll_with(cx, scratch, &mut buf));
        self.has_waited &= polled.is_pending() || self.is_waiting;
        polled
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Write for Guard<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.must_wait(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        with_scratch(|scratch| self.poll_drain(cx, scratch));
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.must_wait(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use parking_lot::Mutex;
    use std::future::poll_fn;
    use std::pin::pin;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn an_answer_waits_once_for_the_tasks_that_are_ready() {
        let (mut client, server) = duplex(64);
        let guard = Guard::new(server, Limits::default(), Arc::new(Notes::default()));
        let mut io = TokioIo::new(guard);
        let order = Arc::new(Mutex::new(Vec::new()));
        let (first, second) = (Arc::clone(&order), Arc::clone(&order));
        let answer = tokio::spawn(async move {
            for n in 1..=2 {
                io.write_all(b"answer").await.expect("done");
                first.lock().push(n);
            }
            io
        });
        let other = tokio::spawn(async move { second.lock().push(0) });
        let _open = answer.await.expect("done");
        other.await.expect("done");
        assert_eq!(*order.lock(), [0, 1, 2]);
        let mut got = [0; 12];
        client.read_exact(&mut got).await.expect("done");
        assert_eq!(&got, b"answeranswer");
    }

    #[tokio::test]
    async fn what_comes_in_meanwhile_does_not_keep_an_answer_waiting() {
        let (mut client, server) = duplex(64);
        let guard = Guard::new(server, Limits::default(), Arc::new(Notes::default()));
        let mut io = pin!(TokioIo::new(guard));
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(head.as_bytes()).await.expect("done");
        let mut waits = Vec::new();
        poll_fn(|cx| {
            // As hyper does: reads first, then the answer's bytes.
            let mut bytes = [0; 8];
            let mut room = ReadBuf::new(&mut bytes);
            let _ = AsyncRead::poll_read(io.as_mut(), cx, &mut room);
            let wrote = AsyncWrite::poll_write(io.as_mut(), cx, b"x");
            waits.push(wrote.is_pending());
            if waits.len() < 2 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        assert_eq!(waits, [true, false]);
    }
}
