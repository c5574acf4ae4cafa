//! Slack's incoming webhook, and what behaves like it.

use super::untaken::Untaken;
use super::words::{clip, lines, link};
use crate::control::outbound::Outbound;
use crate::model::Alert;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;
use std::fmt;
use std::fmt::Write as _;
use url::Url;

/// Slack cuts a text at 40,000 characters; a receiver that behaves like it may cut earlier.
const MAX_TEXT: usize = 3_000;

pub(super) struct Slack {
    pub(super) to: Outbound,
    /// Secret: whoever has it may post.
    pub(super) url: Url,
    pub(super) portal: String,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slack")
    }
}

impl Slack {
    pub(super) async fn send(&self, alert: &Alert) -> Result<(), Untaken> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = json!({ "text": text(alert, &self.portal) }).to_string();
        let answer = self.to.post(&self.url, headers, body.into_bytes()).await?;
        if answer.status != 200 {
            return Err(Untaken::by_status(answer.status));
        }
        if answer.body.trim_ascii() != b"ok" {
            return Err(Untaken::Body("`ok`"));
        }
        Ok(())
    }
}

fn text(alert: &Alert, portal: &str) -> String {
    let mut out = format!(
        "*{}: {}*",
        escape(&alert.severity.to_uppercase()),
        escape(&alert.summary)
    );
    for (label, value) in lines(alert) {
        // Writing into a String cannot fail.
        let _ = write!(out, "\n{}: {}", escape(label), escape(&value));
    }
    let out = clip(&out, MAX_TEXT);
    format!("{out}\n<{}|Open in Locum>", link(alert, portal))
}

/// Slack's three control characters: without this, a reason could mention a whole channel or hide a link.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::alerts::fixture::alert;

    #[test]
    fn what_people_typed_cannot_command_the_channel() {
        let mut alert = alert("break-glass.activated");
        alert.summary = "<!channel> see <https://evil.example|the runbook> & go".to_owned();
        let text = text(&alert, "https://portal.example");
        assert!(!text.contains("<!channel>"), "{text}");
        assert!(!text.contains("<https://evil"), "{text}");
        assert!(
            text.contains("&lt;!channel&gt;") && text.contains("&amp; go"),
            "{text}"
        );
        assert!(text.ends_with("|Open in Locum>"), "{text}");
    }
}
