//! Telling HTTP/2 by prior knowledge from HTTP/1.1 on a plain listener, without losing a byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// A stream whose first bytes were read already and are given again.
#[derive(Debug)]
pub struct Replayed<S> {
    first: Vec<u8>,
    at: usize,
    inner: S,
}

/// Reads until the bytes differ from `preface` or all of it was seen.
pub async fn sniff<S: AsyncRead + Unpin>(
    mut inner: S,
    preface: &[u8],
) -> io::Result<(Replayed<S>, bool)> {
    let mut first = Vec::with_capacity(preface.len());
    while first.len() < preface.len() && preface.starts_with(&first) {
        let mut rest = (&mut inner).take((preface.len() - first.len()) as u64);
        if rest.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    let is_preface = first == preface;
    Ok((
        Replayed {
            first,
            at: 0,
            inner,
        },
        is_preface,
    ))
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.first.get(this.at..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let n = left.len().min(buf.remaining());
        buf.put_slice(left.get(..n).unwrap_or_default());
        this.at += n;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_byte_is_given_again() -> io::Result<()> {
        for (text, want) in [
            ("PRI * rest", true),
            ("PRX", false),
            ("GET / HTTP/1.1", false),
            ("", false),
        ] {
            let (mut stream, is_preface) = sniff(text.as_bytes(), b"PRI *").await?;
            let mut all = String::new();
            stream.read_to_string(&mut all).await?;
            assert_eq!((all.as_str(), is_preface), (text, want));
        }
        Ok(())
    }
}
