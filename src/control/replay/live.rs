//! What came while a page was open: server-sent events and WebSocket messages, each as long after the page's request as it
//! was then.

use crate::audit::export::events::Pieces;
use crate::audit::recording::{From, Kind, Message, Taped};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// After the last event the stream stays open, as it was to the page: an end would make it ask again.
const OPEN: Duration = Duration::from_secs(60 * 60);

/// Where an event stream stands.
struct Stream {
    pieces: Pieces,
    /// Of the recording, in milliseconds: what is sent next is due this long after.
    before: i64,
}

/// The event stream of an exchange that began at that moment, with the pauses that it had.
pub(super) fn events(pieces: Pieces, began: i64) -> Body {
    let stream = Stream {
        pieces,
        before: began,
    };
    Body::from_stream(futures_util::stream::unfold(stream, |stream| async {
        let next = stream.next().await;
        next.map(|(bytes, stream)| (Ok::<_, std::io::Error>(bytes), stream))
    }))
}

impl Stream {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let read = tokio::task::spawn_blocking(move || (self.pieces.next(), self));
        let (piece, mut stream) = read.await.ok()?;
        let Some((at, bytes)) = piece else {
            tokio::time::sleep(OPEN).await;
            return None;
        };
        let pause = u64::try_from(at.millis() - stream.before).unwrap_or(0);
        stream.before = at.millis().max(stream.before);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Some((bytes.into(), stream))
    }
}

/// A WebSocket's messages for the script in the page: what the app sent, and how many milliseconds after the handshake.
pub(super) fn socket(taped: &Taped) -> Value {
    let began = taped.opened_at.millis();
    let theirs = taped.messages.iter().filter(|it| it.from == From::App);
    let messages = theirs.filter_map(|it| message(it, began));
    let protocol = taped.shown.as_ref();
    let protocol =
        protocol.and_then(|it| crate::audit::export::exchange::field(it, "sec-websocket-protocol"));
    json!({ "protocol": protocol.unwrap_or_default(), "messages": messages.collect::<Vec<_>>() })
}

fn message(it: &Message, began: i64) -> Option<Value> {
    let after = (it.at.millis() - began).max(0);
    Some(match it.kind {
        Kind::Text => json!({
            "kind": "text", "after": after, "text": String::from_utf8_lossy(&it.payload),
        }),
        Kind::Binary => json!({
            "kind": "binary", "after": after, "base64": STANDARD.encode(&it.payload),
        }),
        // RFC 6455 §5.5.1: two bytes of code, then the reason.
        Kind::Close => {
            let (code, reason) = it.payload.split_at_checked(2).unwrap_or((&[], &[]));
            let code = <[u8; 2]>::try_from(code).map_or(1005, u16::from_be_bytes);
            json!({
                "kind": "close", "after": after, "code": code, "reason": String::from_utf8_lossy(reason),
            })
        }
        Kind::Ping | Kind::Pong | Kind::Event => return None,
    })
}
