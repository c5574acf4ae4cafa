//! A byte stream that comes in pieces of the fuzzer's choice and takes whatever is written to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Splits the first bytes of an input off as lengths of pieces; at least one byte each.
pub fn split(input: &[u8]) -> (Vec<usize>, &[u8]) {
    let count = input.first().map_or(0, |count| usize::from(count % 8));
    let rest = input.get(1..).unwrap_or_default();
    let (lengths, rest) = rest.split_at(count.min(rest.len()));
    (
        lengths
            .iter()
            .map(|length| usize::from(*length).max(1))
            .collect(),
        rest,
    )
}

/// `bytes` in pieces of `lengths`, over and over; whole where there are none.
pub fn cut<'b>(bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut next = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = next
            .next()
            .map_or(rest.len(), |length| (*length).min(rest.len()));
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[allow(dead_code)] // not every target needs a stream
pub struct Pieces<'b> {
    pieces: std::vec::IntoIter<&'b [u8]>,
    now: &'b [u8],
}

#[allow(dead_code)]
impl<'b> Pieces<'b> {
    pub fn new(bytes: &'b [u8], lengths: &[usize]) -> Self {
        Self {
            pieces: cut(bytes, lengths).into_iter(),
            now: &[],
        }
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.now.is_empty() {
            self.now = self.pieces.next().unwrap_or_default();
        }
        let (now, later) = self.now.split_at(self.now.len().min(buf.remaining()));
        buf.put_slice(now);
        self.now = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
