//! Batches by HTTP POST, as they are.

use super::http::Poster;
use super::settings::{WebhookFormat, WebhookSettings};
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use std::fmt;

pub(super) struct WebhookSink {
    name: String,
    poster: Poster,
    format: WebhookFormat,
}

impl WebhookSink {
    pub(super) fn new(name: &str, settings: &WebhookSettings) -> Result<Self, StartError> {
        let kind = match settings.format {
            WebhookFormat::Ndjson => "application/x-ndjson",
            WebhookFormat::Array => "application/json",
        };
        Ok(Self {
            name: name.into(),
            poster: Poster::new(name, &settings.http, kind)?,
            format: settings.format,
        })
    }

    async fn post(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let key = format!("\"{}-{}\"", self.name, batch_id(batch));
        let body = body(self.format, batch);
        let answer = self
            .poster
            .post(body, Some(("idempotency-key", &key)))
            .await?;
        answer.judge()
    }
}

fn body(format: WebhookFormat, batch: &[Record]) -> Vec<u8> {
    let lines = batch.iter().map(|r| r.line.as_slice());
    match format {
        WebhookFormat::Ndjson => lines
            .flat_map(|line| [line, b"\n"])
            .flatten()
            .copied()
            .collect(),
        WebhookFormat::Array => {
            let mut out = b"[".to_vec();
            for (at, line) in lines.enumerate() {
                out.extend_from_slice(if at > 0 { b",\n" } else { b"" });
                out.extend_from_slice(line);
            }
            out.push(b']');
            out
        }
    }
}

/// The same for the same records: first and last sequence number, and the end of the last one's hash.
fn batch_id(batch: &[Record]) -> String {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
        return String::new();
    };
    let hash = last.line.len().saturating_sub(18)..last.line.len().saturating_sub(2);
    let hash = last.line.get(hash).unwrap_or_default();
    let hash: String = String::from_utf8_lossy(hash)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("{}-{}-{hash}", first.seq, last.seq)
}

impl Sink for WebhookSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.post(batch))
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("name", &self.name)
            .field("host", &self.poster.host)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
pub(super) mod tests;
