//! Splunk's HTTP event collector, with the indexers' acknowledgement where it is asked for.
//!
//! Shape: <https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>

use super::http::{Answer, Poster};
use super::settings::SplunkSettings;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Codes that say the events themselves are wrong: no data, invalid format, event missing, event blank, bad fields.
const NEVER: [u64; 5] = [5, 6, 12, 13, 15];
/// How often the indexers are asked whether they have a batch.
const ASK: Duration = Duration::from_millis(250);

pub(super) struct SplunkSink {
    poster: Poster,
    index: Option<String>,
    sourcetype: String,
    /// The channel of acknowledgements: a UUID of ours.
    channel: Option<String>,
    ack_path: String,
    patience: Duration,
}

impl SplunkSink {
    pub(super) fn new(name: &str, settings: &SplunkSettings) -> Result<Self, StartError> {
        let poster = Poster::new(name, &settings.http, "application/json")?;
        let root = poster.path().trim_end_matches('/').to_owned();
        Ok(Self {
            poster: poster.under("/services/collector/event", None),
            index: settings.index.clone(),
            sourcetype: settings.sourcetype.clone(),
            channel: settings.acknowledge.then(uuid),
            ack_path: format!("{root}/services/collector/ack"),
            patience: settings.http.timeout,
        })
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let body = self.body(batch)?;
        let channel = self.channel.clone();
        let header = channel.as_deref().map(|c| ("x-splunk-request-channel", c));
        let answer = self.poster.post(body, header).await?;
        judge(&answer)?;
        match channel {
            Some(channel) => self.acknowledged(&answer, &channel).await,
            None => Ok(()),
        }
    }

    fn body(&self, batch: &[Record]) -> Result<Vec<u8>, DeliveryError> {
        let mut out = Vec::new();
        for record in batch {
            let view = View::new(record)?;
            let millis = view.millis();
            let mut event = json!({
                "time": format!("{}.{:03}", millis / 1000, millis % 1000),
                "host": "locum",
                "source": "locum",
                "sourcetype": self.sourcetype,
                "fields": { "uid": view.uid(), "seq": record.seq.to_string() },
                "event": view.json,
            });
            if let Some(index) = &self.index {
                event["index"] = Value::from(index.as_str());
            }
            serde_json::to_writer(&mut out, &event).map_err(DeliveryError::later)?;
            out.push(b'\n');
        }
        Ok(out)
    }

    /// Asks until the indexers say that they have the batch.
    async fn acknowledged(&mut self, taken: &Answer, channel: &str) -> Result<(), DeliveryError> {
        let id = taken.json()?.get("ackId").and_then(Value::as_u64);
        let id =
            id.ok_or_else(|| taken.later("no ackId: is acknowledgement on for this token?"))?;
        let begin = Instant::now();
        while begin.elapsed() < self.patience {
            let body = json!({ "acks": [id] }).to_string().into_bytes();
            let header = Some(("x-splunk-request-channel", channel));
            let answer = self
                .poster
                .post_to(&self.ack_path.clone(), body, header)
                .await?;
            answer
                .judge()
                .map_err(|_| answer.later("asked for an acknowledgement"))?;
            if answer.json()?["acks"][id.to_string()] == true {
                return Ok(());
            }
            tokio::time::sleep(ASK).await;
        }
        Err(DeliveryError::later("no acknowledgement in time"))
    }
}

fn judge(answer: &Answer) -> Result<(), DeliveryError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let said = answer.json().unwrap_or_default();
    let text = said.get("text").and_then(Value::as_str).unwrap_or_default();
    let code = said.get("code").and_then(Value::as_u64);
    let is_bad =
        answer.status == StatusCode::BAD_REQUEST && code.is_some_and(|c| NEVER.contains(&c));
    if is_bad || answer.status == StatusCode::PAYLOAD_TOO_LARGE {
        return Err(answer.never(text));
    }
    Err(answer.later(text))
}

/// RFC 9562 §5.4, version 4.
fn uuid() -> String {
    let mut bytes = [0u8; 16];
    // It only keeps apart who asks; all zeros do as well.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (4 << 76) | (2 << 62);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

impl Sink for SplunkSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
