//! From what reads and writes on a thread of its own to a body that is sent: a few pieces at a time, never the whole.

use axum::body::Body;
use bytes::Bytes;
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// Pieces on their way at once.
const PIECES: usize = 4;
/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// A body of what is read. Reading blocks, so it has a blocking thread.
pub(crate) fn reading(mut from: impl Read + Send + 'static) -> Body {
    writing(move |to| io::copy(&mut from, to).map(drop))
}

/// A body of what `work` writes. A failure breaks the body off, so that nobody takes a part for the whole.
pub(crate) fn writing<E>(
    work: impl FnOnce(&mut dyn Write) -> Result<(), E> + Send + 'static,
) -> Body
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, mut receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces {
            sender,
            piece: Vec::with_capacity(PIECE),
        };
        let done = work(&mut pieces).map_err(Into::into);
        let done = done.and_then(|()| Ok(pieces.flush()?));
        if let Err(why) = done {
            let _ = pieces.sender.blocking_send(Err(io::Error::other(why)));
        }
    });
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    Body::from_stream(stream)
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.piece.len().min(PIECE);
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.piece.extend_from_slice(taken);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_arrives_whole_and_a_failure_breaks_it_off() {
        let long = vec![7_u8; 3 * PIECE + 5];
        let body = reading(io::Cursor::new(long.clone()));
        let found = axum::body::to_bytes(body, usize::MAX).await.expect("whole");
        assert_eq!(found, long);
        let body = writing(|to| {
            to.write_all(b"a part")?;
            Err(io::Error::other("the disk is gone"))
        });
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }
}
