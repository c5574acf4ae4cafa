//! The closing record of a forwarded exchange: written once both bodies are over, whatever ended them.

use super::body::Tally;
use super::body::end::End;
use super::upstream::Peer;
use crate::audit::recording::{Closed, Tap};
use crate::audit::{Banner, Closing, Outcome, Receipt};
use crate::store::live::UnderWay;
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Everything that the closing record needs and that is known before the response's body.
pub struct Closer {
    pub receipt: Receipt,
    pub metrics: Arc<Metrics>,
    pub under_way: UnderWay,
    pub request: Option<Arc<Tally>>,
    pub started: Instant,
    pub status: u16,
    pub first_byte: Option<Duration>,
    pub banner: Banner,
    /// Where the connection led that brought the answer.
    pub upstream: Option<Peer>,
    /// Where the exchange is recorded: its closing record waits for the tape.
    pub tap: Option<Tap>,
}

impl std::fmt::Debug for Closer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Closer(status: {})", self.status)
    }
}

impl Closer {
    /// The response's body is over. `digest` is of the bytes as the app sent them.
    pub fn response_ended(self, end: End, sent: u64, digest: Option<[u8; 32]>) {
        let (outcome, cause) = match end {
            End::Done => (Outcome::Done, ""),
            End::Cut => (
                Outcome::Cut,
                self.under_way
                    .session()
                    .ending()
                    .map_or("ended", |ended| ended.cause.as_str()),
            ),
            End::Upstream => (Outcome::Failed, "upstream-broke-off"),
            End::Unrecorded => (Outcome::Cut, "recording"),
            End::Rewrite => (Outcome::Refused, "banner-impossible"),
            End::Aborted => (Outcome::Aborted, "client-gone"),
        };
        self.close(outcome, cause, sent, digest);
    }

    /// Closes with an outcome of the caller's: there was no response body to wait for.
    pub fn close(self, outcome: Outcome, cause: &str, sent: u64, digest: Option<[u8; 32]>) {
        match outcome {
            Outcome::Cut => drop(self.metrics.cut.inc()),
            Outcome::Aborted => drop(self.metrics.aborted.inc()),
            Outcome::Done | Outcome::Refused | Outcome::Failed => {}
        }
        let request_bytes = self.request.as_ref().map_or(0, |tally| tally.bytes());
        self.under_way
            .session()
            .usage()
            .carried(request_bytes, sent);
        let total = self.started.elapsed();
        self.metrics.seconds.observe(total.as_secs_f64());
        self.metrics.in_flight.dec();
        if let Some(tap) = &self.tap {
            let request = self.request.as_ref();
            let closed = Closed {
                outcome,
                status: Some(self.status),
                request_bytes,
                response_bytes: sent,
                request_sha256: request.and_then(|tally| tally.digest()),
                response_sha256: digest,
                total: Some(total),
                first_byte: self.first_byte,
                banner: self.banner,
                upstream: self.upstream,
                cause: cause.to_owned(),
            };
            let is_whole = request.is_none_or(|tally| tally.is_complete());
            return tap.close(self.receipt, closed, is_whole);
        }
        self.receipt.close(&Closing {
            outcome,
            status: Some(self.status),
            request_bytes,
            response_bytes: sent,
            request_sha256: self.request.as_ref().and_then(|tally| tally.digest()),
            response_sha256: digest,
            total: Some(total),
            first_byte: self.first_byte,
            banner: self.banner,
            upstream: self.upstream.as_deref(),
            cause,
            kept: None,
        });
    }
}
