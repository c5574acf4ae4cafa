//! What the proxy tells of one exchange: when it opens, when it closes, or that it was refused.

use super::part::{PolicyPart, SessionPart};
use super::recording::Kept;
use crate::model::{Decision, ExchangeId, Record};
use std::net::SocketAddr;
use std::time::Duration;

/// A request that is about to be forwarded. Everything is borrowed; texts from outside may have any bytes and length.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    pub exchange: ExchangeId,
    /// Absent only where no session could be told (a refusal).
    pub session: Option<&'a SessionPart>,
    pub policy: Option<&'a PolicyPart>,
    /// Absent where the request was refused before policy saw it.
    pub decision: Option<&'a Decision>,
    /// The app's name in the configuration.
    pub app: &'a str,
    pub method: &'a str,
    /// `Host` or `:authority` as the client sent it.
    pub host: &'a [u8],
    /// The request target as it came in.
    pub target: &'a [u8],
    /// Path and query as policy saw them and the upstream gets them; absent where the request is not canonical.
    pub canonical: Option<&'a str>,
    pub user_agent: Option<&'a [u8]>,
    pub client: SocketAddr,
    /// The upstream's name or address, where one was picked.
    pub upstream: Option<&'a str>,
    pub protocol: Protocol,
    /// How much of it is recorded, besides this.
    pub record: Record,
}

/// What is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Http1,
    Http2,
    /// A WebSocket handshake, over either.
    WebSocket,
}

impl Protocol {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
            Self::WebSocket => "websocket",
        }
    }
}

/// A request that was answered by Locum itself and never forwarded: opening and close in one record.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// What is known of the request.
    pub opening: Opening<'a>,
    /// The status that the client gets. Below 400 the record is an `exchange.answered`, else an `exchange.refused`.
    pub status: u16,
    /// The machine's word: a canonical reason's name, `policy`, `no-session`, `body-too-large`…
    pub reason: &'a str,
    /// More for whoever investigates; bounded, never shown to the client. May be empty.
    pub detail: &'a str,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closing<'a> {
    pub outcome: Outcome,
    /// The status that the client got; absent if there was none.
    pub status: Option<u16>,
    /// Body bytes from the client, as forwarded.
    pub request_bytes: u64,
    /// Body bytes to the client, as sent.
    pub response_bytes: u64,
    /// SHA-256 of the request's body, as far as it was read.
    pub request_sha256: Option<[u8; 32]>,
    /// SHA-256 of the response's body as the app sent it, as far as it came.
    pub response_sha256: Option<[u8; 32]>,
    /// From the request's first byte to the end of both bodies; measured from the opening if absent.
    pub total: Option<Duration>,
    /// Until the upstream's response head arrived.
    pub first_byte: Option<Duration>,
    pub banner: Banner,
    /// Where the connection led that brought the answer: `ip:port`, or `unix:/path`.
    pub upstream: Option<&'a str>,
    /// Why, where the outcome is not `Done`: `client-gone`, `revoked`, `expired`, `drain`, `upstream-timeout`… May be empty.
    pub cause: &'a str,
    /// What of it was recorded.
    pub kept: Option<&'a Kept>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Both bodies ended as they should.
    Done,
    /// It was dropped: the client or the upstream went away, or the work was given up.
    #[default]
    Aborted,
    /// Locum cut it: revoked, expired, drained.
    Cut,
    /// Opened, but not forwarded after all; the client got Locum's own answer.
    Refused,
    /// The upstream failed; the client got 502 or 504.
    Failed,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Aborted => "aborted",
            Self::Cut => "cut",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Whether the response carried the banner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Banner {
    /// Not a document that a person navigates to.
    #[default]
    NotNeeded,
    Shown,
    /// A document that could not carry it, so it was refused.
    Impossible,
}

impl Banner {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not-needed",
            Self::Shown => "shown",
            Self::Impossible => "impossible",
        }
    }
}
