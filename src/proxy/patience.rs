//! A client that takes nothing of what is ready for it holds memory of ours and a connection of the app's:
//! it is cut. Right above the socket, where a write either moves bytes or waits.

use crate::telemetry::{Limit, Metrics};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream whose writes may not wait longer than a limit.
#[derive(Debug)]
pub struct Patience<S> {
    inner: S,
    limit: Duration,
    metrics: Arc<Metrics>,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub fn new(inner: S, limit: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            limit,
            metrics,
            waiting: None,
        }
    }

    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.waiting = None;
            return wrote;
        }
        let limit = self.limit;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        self.metrics.hit(Limit::ResponseIdle);
        let why = "the client took nothing for limits.response_idle_timeout";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_slow_reader_is_served_and_one_that_stopped_is_cut() -> io::Result<()> {
        let (ours, mut theirs) = tokio::io::duplex(10);
        let metrics = Arc::new(Metrics::default());
        let limit = Duration::from_millis(400);
        let mut stream = Patience::new(ours, limit, Arc::clone(&metrics));
        let writing = tokio::spawn(async move { stream.write_all(&[0; 40]).await });
        let mut some = [0; 10];
        for _ in 0..2 {
            tokio::time::sleep(limit / 2).await;
            theirs.read_exact(&mut some).await?;
        }
        let cut = writing.await.unwrap_or(Ok(()));
        assert_eq!(
            cut.map_err(|error| error.kind()),
            Err(io::ErrorKind::TimedOut)
        );
        assert!(metrics.expose().contains("limit=\"ResponseIdle\"} 1"));
        Ok(())
    }
}
