//! What a reader of a tape gets: exchanges, their sides, bodies and messages.

use super::digest::Digest;
use crate::model::{ExchangeId, Timestamp};
use serde::{Deserialize, Serialize};

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Taped {
    pub exchange: ExchangeId,
    pub opened_at: Timestamp,
    /// Absent where the tape ends before the exchange did.
    pub ended_at: Option<Timestamp>,
    /// `done`, `cut`, `refused`, … as in the closing record; empty before the end.
    pub outcome: String,
    pub app: String,
    /// `scheme://authority`, as the operator's browser asked.
    pub origin: String,
    pub method: String,
    /// Path and query, redacted as in the journal.
    pub target: String,
    /// `http/1.1`, `h2`, `websocket`.
    pub protocol: String,
    /// The policy row that decided, and what the route means; empty where policy was not asked.
    pub rule: String,
    pub action: String,
    /// `headers` or `bodies`.
    pub mode: String,
    pub request: Option<Side>,
    /// As the app sent it. Absent where Locum answered by itself.
    pub received: Option<Side>,
    /// As the operator got it.
    pub shown: Option<Side>,
    /// WebSocket messages and server-sent events, in order.
    pub messages: Vec<Message>,
    pub gaps: Vec<Gap>,
}

/// A head and its body.
#[derive(Clone, Debug)]
pub struct Side {
    /// Absent for a request.
    pub status: Option<u16>,
    /// In the order in which they were, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Body>,
    pub at: Timestamp,
}

/// A body: what is known of the true one, and where its bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Bytes of the true body.
    pub bytes: u64,
    /// SHA-256 of the true body in hexadecimal digits, as in the journal; empty where it is not known.
    pub sha256: String,
    /// Every byte is stored (redacted ones in their redacted form).
    pub is_whole: bool,
    /// Something was taken out before it was stored: the bytes are not those of `sha256`.
    pub redacted: bool,
    /// The bytes are stored without the content coding that the headers name: to redact them it was undone.
    pub decoded: bool,
    /// Why nothing, or no more, of it is stored.
    pub withheld: Option<String>,
    /// SHA-256 of the stored bytes where they are not the true ones.
    pub stored_sha256: Option<String>,
    pub(super) pieces: Vec<Piece>,
}

/// One chunk of a body, and when it passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) digest: Digest,
    pub(super) at: Timestamp,
}

impl Body {
    /// When each piece of the stored bytes passed, in order.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.pieces.iter().map(|piece| piece.at)
    }
}

/// A WebSocket message or a server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub at: Timestamp,
    pub from: From,
    pub kind: Kind,
    /// Bytes of the true message.
    pub bytes: u64,
    pub payload: Vec<u8>,
    pub redacted: bool,
    /// Why the payload is not here.
    pub withheld: Option<String>,
}

/// Which of an exchange's three sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// What the operator's client sent.
    Request,
    /// What the app sent.
    Received,
    /// What the operator's client got.
    Shown,
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    Operator,
    App,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Binary,
    Ping,
    Pong,
    Close,
    /// A server-sent event: all its lines, without the empty one that ends it.
    Event,
}

/// What is missing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub at: Timestamp,
    /// `request`, `received`, `shown`; absent for messages.
    pub side: Option<Which>,
    pub bytes: u64,
    pub messages: u64,
    pub why: String,
}
