//! `PagerDuty`'s Events API v2: one trigger for each alert, which repetitions join by their key.

use super::untaken::Untaken;
use super::words::{clip, link};
use crate::control::outbound::Outbound;
use crate::model::Alert;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::fmt;
use url::Url;

/// Where events go unless the configuration says otherwise.
pub(super) const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// The longest `summary` that is taken, in characters.
const MAX_SUMMARY: usize = 1_024;

pub(super) struct PagerDuty {
    pub(super) to: Outbound,
    pub(super) url: Url,
    /// Secret.
    pub(super) routing_key: String,
    pub(super) portal: String,
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PagerDuty")
    }
}

impl PagerDuty {
    pub(super) async fn send(&self, alert: &Alert) -> Result<(), Untaken> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = self.event(alert).to_string().into_bytes();
        let answer = self.to.post(&self.url, headers, body).await?;
        if answer.status != 202 {
            return Err(Untaken::by_status(answer.status));
        }
        if !is_taken(&answer.body, &alert.id.to_string()) {
            return Err(Untaken::Body("a `success` for this alert"));
        }
        Ok(())
    }

    fn event(&self, alert: &Alert) -> Value {
        let details: serde_json::Map<String, Value> = super::words::lines(alert)
            .into_iter()
            .map(|(label, value)| (label.to_owned(), value.into()))
            .collect();
        json!({
            "routing_key": self.routing_key,
            "event_action": "trigger",
            "dedup_key": alert.id,
            "client": "Locum",
            "client_url": link(alert, &self.portal),
            "payload": {
                "summary": clip(&alert.summary, MAX_SUMMARY),
                "source": self.portal,
                "severity": severity(&alert.severity),
                "timestamp": alert.at.to_string(),
                "component": alert.app,
                "group": alert.tenant,
                "class": alert.kind,
                "custom_details": details,
            },
        })
    }
}

/// One of the four that there are.
fn severity(word: &str) -> &'static str {
    match word {
        "critical" => "critical",
        "warning" => "warning",
        "info" => "info",
        _ => "error",
    }
}

fn is_taken(body: &[u8], key: &str) -> bool {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    text("status") == Some("success") && text("dedup_key").is_none_or(|it| it == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_for_this_alert_counts() {
        for (body, taken) in [
            (
                r#"{"status":"success","message":"Event processed","dedup_key":"a1"}"#,
                true,
            ),
            (r#"{"status":"success"}"#, true),
            (r#"{"status":"success","dedup_key":"a2"}"#, false),
            (r#"{"status":"invalid event","dedup_key":"a1"}"#, false),
            (r#"["success"]"#, false),
            ("success", false),
            ("", false),
        ] {
            assert_eq!(is_taken(body.as_bytes(), "a1"), taken, "{body}");
        }
    }
}
