//! What the data plane hands to the recorder, piece by piece.

use super::about::About;
use super::head::Begin;
use super::kept::Kept;
use super::taped::{From, Kind, Which};
use crate::audit::receipt::Receipt;
use crate::audit::record::{Banner, Closing, Outcome};
use crate::model::{ExchangeId, Record, SessionId, Timestamp};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::oneshot;

/// One piece of work. What has bytes of an exchange may find the queue full; the rest never does.
pub(super) enum Work {
    Begin(Box<Beginning>),
    Headers {
        exchange: ExchangeId,
        side: Which,
        at: Timestamp,
        status: Option<u16>,
        headers: HeaderMap,
    },
    Data {
        exchange: ExchangeId,
        side: Which,
        at: Timestamp,
        bytes: Bytes,
    },
    Message {
        exchange: ExchangeId,
        at: Timestamp,
        from: From,
        kind: Kind,
        /// Of the true message.
        length: u64,
        bytes: Bytes,
        withheld: Option<&'static str>,
    },
    End(Box<Ending>),
    SessionEnded(SessionId),
    /// Everything before it is written when the sender is told.
    Settle(oneshot::Sender<()>),
    Stop,
}

/// An exchange begins.
pub(super) struct Beginning {
    pub(super) about: About,
    pub(super) begin: Begin,
    pub(super) record: Record,
    /// Set by the recorder where the exchange can no longer be recorded.
    pub(super) broken: Arc<AtomicBool>,
    /// Told whether its tape is open: where it must be.
    pub(super) ready: Option<oneshot::Sender<bool>>,
}

/// An exchange is over.
pub(super) struct Ending {
    pub(super) exchange: ExchangeId,
    pub(super) at: Timestamp,
    /// Absent where Locum answered by itself, or the exchange was dropped.
    pub(super) closing: Option<(Receipt, Closed)>,
    pub(super) outcome: &'static str,
    pub(super) request_is_whole: bool,
    pub(super) response_is_whole: bool,
    /// The operator got other bytes than the app sent.
    pub(super) is_rewritten: bool,
    pub(super) lost: Lost,
}

/// What found the queue full, or a recorder that cannot write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) request: u64,
    pub(super) received: u64,
    pub(super) shown: u64,
    pub(super) messages: u64,
    pub(super) message_bytes: u64,
}

impl Lost {
    pub(super) const fn of(&self, side: Which) -> u64 {
        match side {
            Which::Request => self.request,
            Which::Received => self.received,
            Which::Shown => self.shown,
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.request + self.received + self.shown + self.message_bytes
    }
}

/// A closing record that waits until the tape has its exchange.
#[derive(Clone, Debug)]
pub struct Closed {
    pub outcome: Outcome,
    pub status: Option<u16>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub request_sha256: Option<[u8; 32]>,
    pub response_sha256: Option<[u8; 32]>,
    pub total: Option<Duration>,
    pub first_byte: Option<Duration>,
    pub banner: Banner,
    pub upstream: Option<Arc<str>>,
    pub cause: String,
}

impl Closed {
    /// Writes the record.
    pub(super) fn write(&self, receipt: Receipt, kept: Option<&Kept>) {
        receipt.close(&Closing {
            outcome: self.outcome,
            status: self.status,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            request_sha256: self.request_sha256,
            response_sha256: self.response_sha256,
            total: self.total,
            first_byte: self.first_byte,
            banner: self.banner,
            upstream: self.upstream.as_deref(),
            cause: &self.cause,
            kept,
        });
    }
}
