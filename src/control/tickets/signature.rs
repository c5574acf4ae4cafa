//! Whether a message is signed by one who knows the secret, and for what moment. Compared in constant time.

use super::hook::HookRefused;
use super::settings::Scheme;
use crate::model::Timestamp;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

/// Signatures of one message that are looked at (Standard Webhooks lists several while a key is rotated).
const MAX_SIGNATURES: usize = 8;

/// The keys of one system's messages. `Debug` never shows them.
pub(super) struct Keys(Vec<hmac::Key>);

/// A message that was signed, and when it says it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// `None`: the scheme signs no time of its own; the body says one.
    pub(super) at: Option<Timestamp>,
    /// The signature itself: the same for the same message only.
    pub(super) mark: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// `None`: a secret is not of the scheme's form.
    pub(super) fn new(scheme: Scheme, secrets: &[String]) -> Option<Self> {
        let key = |secret: &String| -> Option<hmac::Key> {
            let bytes = match scheme {
                // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
                Scheme::Standard => {
                    let text = secret.strip_prefix("whsec_")?;
                    STANDARD.decode(text).ok().filter(|key| key.len() >= 24)?
                }
                Scheme::Hub | Scheme::Zendesk => secret.as_bytes().to_vec(),
            };
            Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        secrets
            .iter()
            .map(key)
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// Whether the message is signed with one of the keys.
    pub(super) fn check(
        &self,
        scheme: Scheme,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Signed, HookRefused> {
        match scheme {
            Scheme::Standard => self.standard(headers, body),
            Scheme::Hub => self.hub(headers, body),
            Scheme::Zendesk => self.zendesk(headers, body),
        }
    }

    fn standard(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, HookRefused> {
        let id = field(headers, "webhook-id")?;
        let seconds = field(headers, "webhook-timestamp")?;
        let listed = field(headers, "webhook-signature")?;
        let at = seconds
            .parse::<i64>()
            .ok()
            .and_then(|seconds| seconds.checked_mul(1000))
            .ok_or(HookRefused::Unsigned("webhook-timestamp"))?;
        let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
        for one in listed.split(' ').take(MAX_SIGNATURES) {
            let signature = one
                .strip_prefix("v1,")
                .and_then(|text| STANDARD.decode(text).ok());
            if let Some(mark) = signature.and_then(|it| self.mark(&signed, &it)) {
                return Ok(Signed {
                    at: Some(Timestamp::from_millis(at)),
                    mark,
                });
            }
        }
        Err(HookRefused::Forged)
    }

    fn hub(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, HookRefused> {
        let text = field(headers, "x-hub-signature")?;
        let signature = text
            .strip_prefix("sha256=")
            .and_then(unhex)
            .ok_or(HookRefused::Unsigned("x-hub-signature"))?;
        let mark = self.mark(body, &signature).ok_or(HookRefused::Forged)?;
        Ok(Signed { at: None, mark })
    }

    fn zendesk(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, HookRefused> {
        let time = field(headers, "x-zendesk-webhook-signature-timestamp")?;
        let text = field(headers, "x-zendesk-webhook-signature")?;
        let signature = STANDARD
            .decode(text)
            .map_err(|_| HookRefused::Unsigned("x-zendesk-webhook-signature"))?;
        let at = time
            .parse::<jiff::Timestamp>()
            .map_err(|_| HookRefused::Unsigned("x-zendesk-webhook-signature-timestamp"))?;
        let signed = [time.as_bytes(), body].concat();
        let mark = self.mark(&signed, &signature).ok_or(HookRefused::Forged)?;
        Ok(Signed {
            at: Some(Timestamp::from_millis(at.as_millisecond())),
            mark,
        })
    }

    /// The signature, if it is one of ours for these bytes.
    fn mark(&self, signed: &[u8], signature: &[u8]) -> Option<[u8; 32]> {
        let mark: [u8; 32] = signature.try_into().ok()?;
        // Every key is tried, so that the time tells nothing of which one it was.
        let good = self.0.iter().fold(false, |good, key| {
            hmac::verify(key, signed, &mark).is_ok() | good
        });
        good.then_some(mark)
    }
}

/// The only value of a field.
fn field<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, HookRefused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| HookRefused::Unsigned(name)),
        _ => Err(HookRefused::Unsigned(name)),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .filter_map(|(name, value)| {
                Some((http::HeaderName::from_static(name), value.parse().ok()?))
            })
            .collect()
    }

    fn keys(scheme: Scheme, secret: &str) -> Keys {
        Keys::new(scheme, &[secret.to_owned()]).unwrap_or_else(|| panic!("{secret}"))
    }

    /// The specification's own example.
    #[test]
    fn standard_webhooks_verifies_its_specifications_example() {
        let keys = keys(Scheme::Standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1a,bm9uZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ]);
        let checked = keys.check(Scheme::Standard, &signed, body);
        assert_eq!(
            checked.map(|it| it.at),
            Ok(Some(Timestamp::from_millis(1_614_265_330_000)))
        );
        let other = keys.check(Scheme::Standard, &signed, br#"{"test": 2432232315}"#);
        assert_eq!(other, Err(HookRefused::Forged));
        let mut twice = signed.clone();
        twice.append("webhook-id", http::HeaderValue::from_static("msg_2"));
        assert_eq!(
            keys.check(Scheme::Standard, &twice, body),
            Err(HookRefused::Unsigned("webhook-id"))
        );
    }

    /// GitHub's published test value for the same scheme (docs, "Validating webhook deliveries").
    #[test]
    fn hub_signatures_verify() {
        let keys = keys(Scheme::Hub, "It's a Secret to Everybody");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let signed = headers(&[("x-hub-signature", signature)]);
        assert!(keys.check(Scheme::Hub, &signed, b"Hello, World!").is_ok());
        assert_eq!(
            keys.check(Scheme::Hub, &signed, b"Hello, World?"),
            Err(HookRefused::Forged)
        );
        for bad in [
            "757107ea",
            "sha1=757107ea",
            "sha256=7",
            "sha256=zz",
            "sha256=é",
        ] {
            let signed = headers(&[("x-hub-signature", bad)]);
            assert!(
                keys.check(Scheme::Hub, &signed, b"Hello, World!").is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn every_scheme_wants_its_fields_and_its_secret() {
        let none = HeaderMap::new();
        for scheme in [Scheme::Standard, Scheme::Hub, Scheme::Zendesk] {
            let keys = keys(scheme, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
            assert!(matches!(
                keys.check(scheme, &none, b"{}"),
                Err(HookRefused::Unsigned(_))
            ));
            assert!(!format!("{keys:?}").contains("MfKQ"));
        }
        for bad in ["plain", "whsec_", "whsec_c2hvcnQ=", "whsec_!!"] {
            assert!(
                Keys::new(Scheme::Standard, &[bad.to_owned()]).is_none(),
                "{bad}"
            );
        }
    }
}
