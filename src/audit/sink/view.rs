//! A record as a sink reads it that needs more than the line.

use super::{DeliveryError, Record};
use serde_json::Value;

/// A record, parsed.
pub(super) struct View {
    pub(super) json: Value,
}

impl View {
    /// # Errors
    /// Where the line is no JSON, which no writer of ours makes.
    pub(super) fn new(record: &Record) -> Result<Self, DeliveryError> {
        let json = serde_json::from_slice(&record.line).map_err(|e| DeliveryError::Never {
            detail: format!("record {} is no JSON: {e}", record.seq),
        })?;
        Ok(Self { json })
    }

    pub(super) fn value(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.json, |at, key| at.get(key))
    }

    pub(super) fn text(&self, path: &[&str]) -> &str {
        self.value(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self, path: &[&str]) -> Option<u64> {
        self.value(path).and_then(Value::as_u64)
    }

    /// Unique to the record: whoever gets it twice drops it by this.
    pub(super) fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// The event, such as `exchange.opened`.
    pub(super) fn event(&self) -> &str {
        self.text(&["metadata", "event_code"])
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(&self) -> u64 {
        self.number(&["time"]).unwrap_or(0)
    }

    /// OCSF: 1 informational … 5 critical.
    pub(super) fn severity(&self) -> u64 {
        self.number(&["severity_id"]).unwrap_or(1)
    }
}
