//! What the journal says of a session, by exchange: beside it the recording is only bytes.

use crate::audit::tail::Entry;
use crate::model::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One exchange as the journal has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub exchange: String,
    pub at: i64,
    pub method: String,
    pub host: String,
    /// Path and query.
    pub target: String,
    pub action: String,
    pub resource: String,
    pub rule: String,
    pub decision: String,
    /// `done`, `cut`, `refused`, …; empty while it is open.
    pub outcome: String,
    /// What the client got; 0 while it is open.
    pub status: u16,
    /// Never forwarded: Locum refused or answered by itself.
    pub is_own: bool,
    /// In hexadecimal digits, of the bodies as far as they went; empty where there are none.
    pub request_sha256: String,
    pub response_sha256: String,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Sequence numbers of its records, in order.
    pub records: Vec<u64>,
}

/// A session as its records have it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub session: String,
    pub app: String,
    pub operator: String,
    pub subject: String,
    pub tenant: String,
    pub ticket: String,
    pub reason: String,
    /// Oldest first.
    pub exchanges: Vec<Known>,
    places: HashMap<String, usize>,
}

impl Facts {
    /// Reads them off the records, oldest first.
    pub fn of<'e>(session: &str, entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut facts = Self {
            session: session.to_owned(),
            ..Self::default()
        };
        for entry in entries {
            facts.take(entry);
        }
        facts
    }

    pub fn exchange(&self, id: &str) -> Option<&Known> {
        self.places.get(id).and_then(|at| self.exchanges.get(*at))
    }

    fn take(&mut self, entry: &Entry) {
        if entry.text(&["locum", "session"]) == Some(&self.session) {
            self.meet(entry);
        }
        let event = entry.event();
        let id = entry
            .text(&["metadata", "correlation_uid"])
            .unwrap_or_default();
        match event {
            "exchange.opened" | "exchange.refused" | "exchange.answered" => {
                let mut known = opened(entry, id);
                known.is_own = event != "exchange.opened";
                if known.is_own {
                    known.outcome = text(entry, &["locum", "outcome"]);
                    known.status = status(entry);
                }
                self.places.insert(id.to_owned(), self.exchanges.len());
                self.exchanges.push(known);
            }
            "exchange.closed" | "exchange.aborted" | "websocket.ended" => {
                let open = self.places.get(id).copied();
                if let Some(known) = open.and_then(|at| self.exchanges.get_mut(at)) {
                    known.records.push(entry.sequence);
                    if event != "websocket.ended" {
                        close(known, entry);
                    }
                }
            }
            _ => {}
        }
    }

    /// Who, as whom and why, from the first record that says it.
    fn meet(&mut self, entry: &Entry) {
        let learn = |to: &mut String, path: &[&str]| {
            if to.is_empty() {
                *to = text(entry, path);
            }
        };
        learn(&mut self.app, &["api", "service", "name"]);
        learn(&mut self.operator, &["actor", "user", "uid"]);
        learn(&mut self.subject, &["locum", "subject", "uid"]);
        learn(&mut self.tenant, &["locum", "tenant", "uid"]);
        learn(&mut self.ticket, &["locum", "ticket"]);
        learn(&mut self.reason, &["locum", "reason"]);
    }
}

fn opened(entry: &Entry, id: &str) -> Known {
    let path = text(entry, &["http_request", "url", "path"]);
    let query = entry.text(&["http_request", "url", "query_string"]);
    Known {
        exchange: id.to_owned(),
        at: entry
            .value(&["time"])
            .and_then(Value::as_i64)
            .unwrap_or_default(),
        method: method(entry),
        host: host(entry),
        target: query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")),
        action: text(entry, &["locum", "action"]),
        resource: text(entry, &["locum", "resource"]),
        rule: text(entry, &["locum", "rule"]),
        decision: text(entry, &["locum", "decision"]),
        records: vec![entry.sequence],
        ..Known::default()
    }
}

/// OCSF does not know every method: others stand in `locum`.
fn method(entry: &Entry) -> String {
    let known = entry.text(&["http_request", "http_method"]);
    let method = known.or_else(|| entry.text(&["locum", "method"]));
    method.unwrap_or_default().to_owned()
}

fn host(entry: &Entry) -> String {
    let name = text(entry, &["http_request", "url", "hostname"]);
    match count(entry, &["http_request", "url", "port"]) {
        0 => name,
        port => format!("{name}:{port}"),
    }
}

fn close(known: &mut Known, entry: &Entry) {
    known.outcome = match text(entry, &["locum", "outcome"]) {
        outcome if outcome.is_empty() => "aborted".to_owned(),
        outcome => outcome,
    };
    known.status = status(entry);
    known.request_sha256 = text(entry, &["locum", "request_sha256"]);
    known.response_sha256 = text(entry, &["locum", "response_sha256"]);
    known.request_bytes = count(entry, &["http_request", "body_length"]);
    known.response_bytes = count(entry, &["http_response", "body_length"]);
}

fn text(entry: &Entry, path: &[&str]) -> String {
    entry.text(path).unwrap_or_default().to_owned()
}

fn count(entry: &Entry, path: &[&str]) -> u64 {
    let found = entry.value(path).and_then(Value::as_u64);
    found.unwrap_or_default()
}

fn status(entry: &Entry) -> u16 {
    u16::try_from(count(entry, &["http_response", "code"])).unwrap_or_default()
}

impl Known {
    /// The members that exports put beside an exchange, without the empty ones.
    pub(super) fn members(&self) -> Map<String, Value> {
        let texts = [
            ("action", &self.action),
            ("resource", &self.resource),
            ("rule", &self.rule),
            ("decision", &self.decision),
            ("outcome", &self.outcome),
            ("request_sha256", &self.request_sha256),
            ("response_sha256", &self.response_sha256),
        ];
        let texts = texts.into_iter().filter(|(_, value)| !value.is_empty());
        let mut members: Map<String, Value> = texts
            .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
            .collect();
        members.insert("records".to_owned(), Value::from(self.records.clone()));
        members
    }
}

/// A moment as RFC 3339 with milliseconds.
pub(super) fn moment(millis: i64) -> String {
    Timestamp::from_millis(millis).to_string()
}
