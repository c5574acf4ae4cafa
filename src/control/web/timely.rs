//! A request's body that must be there in time: otherwise a few bytes and patience hold a connection's place for ever.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// A body, and until when it is waited for. The time is for all of it: one byte now and then gains nothing.
pub(super) struct Timely<B> {
    body: B,
    until: Pin<Box<Sleep>>,
}

impl<B> Timely<B> {
    pub(super) fn new(body: B, time: Duration) -> Self {
        Self {
            body,
            until: Box::pin(tokio::time::sleep(time)),
        }
    }
}

/// The sender's fault: the body was not whole in time.
#[derive(Debug)]
pub(super) struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not come in time: send it at once")
    }
}

impl std::error::Error for Late {}

impl<B> Body for Timely<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        this.until
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(Late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::listen::{Settings, listen};
    use axum::Router;
    use axum::body::Bytes as Whole;
    use axum::routing::post;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_body_that_trickles_holds_no_place() -> Result<(), Box<dyn std::error::Error>> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let settings = Settings {
            address,
            tls: None,
            max_connections: 1,
            head_timeout: Duration::from_millis(300),
        };
        let router = Router::new().route("/", post(|_: Whole| async { "whole" }));
        let stop = CancellationToken::new();
        let listening = listen(settings, router, stop.clone()).await?;
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
        let mut slow = TcpStream::connect(address).await?;
        slow.write_all(head.as_bytes()).await?;
        let (mut reads, mut writes) = slow.into_split();
        let trickle = tokio::spawn(async move {
            while writes.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(5), reads.read_to_string(&mut answer));
        read.await.map_err(|_| "the place is held")?.ok();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        trickle.abort();
        // The only place is free again.
        let mut next = TcpStream::connect(address).await?;
        let whole = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\na";
        next.write_all(whole.as_bytes()).await?;
        let mut answer = String::new();
        next.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("whole"), "{answer}");
        stop.cancel();
        listening.await?;
        Ok(())
    }
}
