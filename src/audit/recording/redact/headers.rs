//! Fields of a head: credentials never reach a tape.

use crate::audit::recording::head::Field;
use crate::audit::recording::settings::Redaction;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

/// What stands where something was taken out.
pub(in crate::audit::recording) const MARK: &str = "[redacted]";

/// Always taken out, whatever the configuration says.
const ALWAYS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "www-authenticate",
    "authentication-info",
    "cookie",
    "set-cookie",
    "set-cookie2",
];

/// A head's fields as they are stored. What Locum itself says to the app (`locum-…`) goes as credentials do.
pub(in crate::audit::recording) fn fields(rules: &Redaction, headers: &HeaderMap) -> Vec<Field> {
    let stored = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let n = name.as_str().to_owned();
        if is_secret(rules, &n) || value.is_sensitive() {
            let v = Some(MARK.to_owned());
            return Field { n, v, b: None };
        }
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Field {
                n,
                v: Some(text.to_owned()),
                b: None,
            },
            Err(_) => Field {
                n,
                v: None,
                b: Some(STANDARD.encode(value.as_bytes())),
            },
        }
    };
    headers.iter().map(stored).collect()
}

fn is_secret(rules: &Redaction, name: &str) -> bool {
    ALWAYS.contains(&name)
        || name.starts_with("locum-")
        || rules.headers.iter().any(|listed| listed.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn credentials_are_taken_out_whatever_is_configured_and_listed_names_too() {
        let rules = Redaction {
            headers: vec!["x-*-token".into(), "x-secret".into()],
            ..Redaction::none()
        };
        let mut headers = HeaderMap::new();
        for name in [
            "cookie",
            "set-cookie",
            "x-api-token",
            "x-secret",
            "locum-assertion",
        ] {
            headers.append(name, HeaderValue::from_static("hunter2"));
        }
        headers.append("accept", HeaderValue::from_static("text/html"));
        headers.append("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
        let stored = fields(&rules, &headers);
        let text = serde_json::to_string(&stored).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            text.contains("text/html") && text.contains("/w=="),
            "{text}"
        );
    }
}
