//! Sessions' exchanges, read from the journal.

use super::views::{Exchange, Outcome, Recorded, SessionRecords};
use crate::audit::session::{Bounds, of_session};
use crate::audit::tail::Entry;
use crate::control::desk::Answer;
use crate::model::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// The journal of this process.
#[derive(Clone, Debug)]
pub struct Journal {
    pub dir: PathBuf,
    pub bounds: Bounds,
}

impl SessionRecords for Journal {
    fn of<'a>(
        &'a self,
        session: &'a str,
        since: Timestamp,
    ) -> Answer<'a, Result<Recorded, String>> {
        let (own, session) = (self.clone(), session.to_owned());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || {
                of_session(&own.dir, &session, since, own.bounds)
            });
            match read.await {
                Ok(Ok(found)) => Ok(Recorded {
                    exchanges: exchanges(&found.entries),
                    cut: found.cut,
                }),
                Ok(Err(error)) => {
                    tracing::error!(%error, "a session's records cannot be read");
                    Err("the journal cannot be read now".to_owned())
                }
                Err(_) => Err("the journal cannot be read now".to_owned()),
            }
        })
    }
}

/// One line for each exchange: what opened it, with the status that closed it.
fn exchanges(entries: &[Entry]) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in entries {
        let id = entry
            .text(&["metadata", "correlation_uid"])
            .unwrap_or_default();
        match entry.event() {
            "exchange.opened" | "exchange.refused" => {
                places.insert(id.to_owned(), all.len());
                all.push(exchange(entry, id));
            }
            "exchange.closed" => {
                let open = places.get(id).and_then(|at| all.get_mut(*at));
                if let Some(open) = open {
                    open.status = status(entry);
                    open.is_page = entry.text(&["locum", "banner"]) == Some("shown");
                }
            }
            _ => {}
        }
    }
    all
}

fn exchange(entry: &Entry, id: &str) -> Exchange {
    let text = |path: &[&str]| entry.text(path).unwrap_or_default().to_owned();
    let method = entry.text(&["http_request", "http_method"]);
    // OCSF does not know every method.
    let method = method.or_else(|| entry.text(&["locum", "method"]));
    let method = method.unwrap_or_default().to_owned();
    let is_safe = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
    let at = entry.value(&["time"]).and_then(Value::as_i64);
    Exchange {
        at: Timestamp::from_millis(at.unwrap_or(0)),
        exchange: id.to_owned(),
        path: text(&["http_request", "url", "path"]),
        action: text(&["locum", "action"]),
        resource: text(&["locum", "resource"]),
        rule: text(&["locum", "rule"]),
        status: status(entry),
        is_page: false,
        outcome: match (entry.event(), is_safe) {
            ("exchange.refused", _) => Outcome::Refused,
            (_, true) => Outcome::Read,
            (_, false) => Outcome::Changed,
        },
        method,
    }
}

/// As the client got it.
fn status(entry: &Entry) -> u16 {
    let code = entry
        .value(&["http_response", "code"])
        .and_then(Value::as_u64);
    code.and_then(|code| u16::try_from(code).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(sequence: u64, json: Value) -> Entry {
        Entry {
            sequence,
            raw: json.to_string(),
            json,
        }
    }

    #[test]
    fn an_exchange_is_one_line_with_the_status_that_closed_it() {
        let opened = |id: &str, method: &str| {
            json!({
                "time": 7, "metadata": { "event_code": "exchange.opened", "correlation_uid": id },
                "http_request": { "http_method": method, "url": { "path": "/orders/1" } },
                "locum": { "action": "orders.note", "resource": "order:1", "rule": "order-note" }
            })
        };
        let closed = json!({
            "time": 9, "metadata": { "event_code": "exchange.closed", "correlation_uid": "x1" },
            "http_response": { "code": 201 }, "locum": { "banner": "shown" }
        });
        let refused = json!({
            "time": 9, "metadata": { "event_code": "exchange.refused", "correlation_uid": "x3" },
            "http_request": { "http_method": "GET", "url": { "path": "/export" } },
            "http_response": { "code": 403 }, "locum": { "rule": "pack.export" }
        });
        let entries = [
            entry(1, opened("x1", "POST")),
            entry(2, opened("x2", "GET")),
            entry(3, closed),
            entry(4, refused),
        ];
        let all = exchanges(&entries);
        let told: Vec<_> = all
            .iter()
            .map(|it| (it.exchange.as_str(), it.status, it.outcome))
            .collect();
        assert_eq!(
            told,
            [
                ("x1", 201, Outcome::Changed),
                ("x2", 0, Outcome::Read),
                ("x3", 403, Outcome::Refused)
            ]
        );
        assert_eq!(
            (all[0].path.as_str(), all[0].resource.as_str()),
            ("/orders/1", "order:1")
        );
        assert!(all[0].is_page && !all[1].is_page);
    }
}
