//! The signed webhook: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`).

use super::untaken::Untaken;
use crate::control::outbound::Outbound;
use crate::model::{Alert, Timestamp};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;
use std::fmt;
use url::Url;

/// "Symmetric keys": between 192 and 512 bits.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A `whsec_…` key.
pub(super) struct Key(hmac::Key);

impl Key {
    /// Reads the text form; what is wrong with it otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text
            .trim()
            .strip_prefix("whsec_")
            .ok_or("does not begin with whsec_")?;
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| "is not base64 after whsec_")?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err("has a key that is not 24 to 64 bytes long");
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, content: &[u8]) -> String {
        let signature = hmac::sign(&self.0, content);
        format!("v1,{}", STANDARD.encode(signature.as_ref()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

pub(super) struct Webhook {
    pub(super) to: Outbound,
    pub(super) url: Url,
    /// The newest first; all sign.
    pub(super) keys: Vec<Key>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({} keys)", self.keys.len())
    }
}

impl Webhook {
    pub(super) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Untaken> {
        let body = body(alert);
        let headers = self.headers(&alert.id.to_string(), now, body.as_bytes())?;
        let answer = self.to.post(&self.url, headers, body.into_bytes()).await?;
        if !(200..300).contains(&answer.status) {
            return Err(Untaken::by_status(answer.status));
        }
        // A sign-in page or a proxy's greeting comes with 200 too.
        if is_page(&answer.body) {
            return Err(Untaken::Body("a receiver's: it is a page for people"));
        }
        Ok(())
    }

    fn headers(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<HeaderMap, Untaken> {
        let at = now.seconds().to_string();
        let mut content = format!("{id}.{at}.").into_bytes();
        content.extend_from_slice(body);
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&content)).collect();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", &at),
            ("webhook-signature", &signatures.join(" ")),
        ] {
            let value = HeaderValue::from_str(value).map_err(|e| Untaken::Form(e.into()))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// "Payload": type, timestamp of the event, data.
fn body(alert: &Alert) -> String {
    let details: serde_json::Map<String, serde_json::Value> = alert
        .details
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let data = json!({
        "id": alert.id,
        "severity": alert.severity,
        "summary": alert.summary,
        "app": alert.app,
        "tenant": alert.tenant,
        "operator": alert.operator,
        "details": details,
    });
    let at = alert.at.to_string();
    json!({ "type": alert.kind, "timestamp": at, "data": data }).to_string()
}

fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    ["<!doctype", "<html"].iter().any(|opening| {
        let head = start.get(..opening.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(opening.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's reference implementations: `msg_p5jXN8AQM9LWM0D4loKWxJek`.
    #[test]
    fn signs_as_the_reference_does() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = key.map(|key| {
            key.sign(br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#)
        });
        assert_eq!(
            signed.as_deref().ok(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }

    #[test]
    fn a_key_of_another_form_is_named() {
        for (text, problem) in [
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "does not begin with whsec_",
            ),
            ("whsec_???", "is not base64 after whsec_"),
            ("whsec_AAAA", "has a key that is not 24 to 64 bytes long"),
        ] {
            assert_eq!(Key::parse(text).err(), Some(problem), "{text}");
        }
    }

    #[test]
    fn only_a_page_looks_like_a_page() {
        for page in ["<!DOCTYPE html><p>", "\n <HTML>", "<html lang=en>"] {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for answer in ["", "ok", "{\"status\":\"ok\"}", "<ok/>"] {
            assert!(!is_page(answer.as_bytes()), "{answer}");
        }
    }
}
