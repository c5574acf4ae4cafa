//! Two names for one place: the app's own origin, and the session's origin that stands for it.
//! Headers that name an origin are mapped from one to the other.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// One origin in both worlds. Each text is `scheme://host[:port]`, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub app: String,
    pub session: String,
}

/// All origins of one app as one session sees them; the first is the one that people start at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    pairs: Vec<Pair>,
}

/// Response headers whose value holds one or more URLs of the app.
const WITH_URLS: [HeaderName; 5] = [
    header::LOCATION,
    header::CONTENT_LOCATION,
    header::REFRESH,
    header::LINK,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
];

impl Origins {
    pub fn new(pairs: Vec<Pair>) -> Self {
        Self { pairs }
    }

    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Whether both worlds use the same names (the `shared` origin): nothing to map then.
    pub fn is_identity(&self) -> bool {
        self.pairs.iter().all(|pair| pair.app == pair.session)
    }

    /// `Origin` and `Referer`, from the session's names to the app's. A session origin that is not known
    /// never reaches the app: it would tell it what stands in front.
    pub fn map_request(&self, headers: &mut HeaderMap) {
        if self.is_identity() {
            return;
        }
        for name in [header::ORIGIN, header::REFERER] {
            map_values(headers, &name, |text| self.to_app(text));
        }
    }

    /// What a response says about where things are, from the app's names to the session's.
    pub fn map_response(&self, headers: &mut HeaderMap) {
        if self.is_identity() {
            return;
        }
        for name in WITH_URLS {
            map_values(headers, &name, |text| self.to_session(text));
        }
        for name in [
            header::CONTENT_SECURITY_POLICY,
            header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
        ] {
            map_values(headers, &name, |text| self.to_session(text));
        }
    }

    /// Replaces the app's origins in `text` by the session's; `None` where there is none.
    pub fn to_session(&self, text: &str) -> Option<String> {
        substitute(
            text,
            self.pairs
                .iter()
                .map(|pair| (pair.app.as_str(), pair.session.as_str())),
        )
    }

    /// Replaces the session's origins in `text` by the app's; `None` where there is none.
    pub fn to_app(&self, text: &str) -> Option<String> {
        substitute(
            text,
            self.pairs
                .iter()
                .map(|pair| (pair.session.as_str(), pair.app.as_str())),
        )
    }
}

fn map_values(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&str) -> Option<String>) {
    let header::Entry::Occupied(mut values) = headers.entry(name) else {
        return;
    };
    for value in values.iter_mut() {
        let mapped = value.to_str().ok().and_then(&map);
        if let Some(new) = mapped.and_then(|text| HeaderValue::try_from(text).ok()) {
            *value = new;
        }
    }
}

/// Every occurrence of each `from` that ends where an origin ends: the longest `from` first, so that
/// `https://a.example:8443` is not read as `https://a.example`.
fn substitute<'a>(text: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut pairs: Vec<_> = pairs
        .filter(|(from, to)| from != to && text_has(text, from))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while !rest.is_empty() {
        let hit = pairs
            .iter()
            .find(|(from, _)| starts_with_origin(rest, from));
        if let Some((from, to)) = hit {
            out.push_str(to);
            rest = rest.get(from.len()..).unwrap_or_default();
        } else {
            let mut chars = rest.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
    Some(out)
}

fn text_has(text: &str, origin: &str) -> bool {
    memchr::memmem::find(text.to_ascii_lowercase().as_bytes(), origin.as_bytes()).is_some()
}

/// Schemes and hosts compare without case (RFC 3986 §6.2.2.1); what follows must not continue the host or port.
fn starts_with_origin(text: &str, origin: &str) -> bool {
    let Some(head) = text.get(..origin.len()) else {
        return false;
    };
    head.eq_ignore_ascii_case(origin) && ends_origin(text.as_bytes().get(origin.len()).copied())
}

/// Whether the byte after an origin's text ends it.
pub(super) fn ends_origin(next: Option<u8>) -> bool {
    !next.is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'@' | b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let pair = |app: &str, session: &str| Pair {
            app: app.into(),
            session: session.into(),
        };
        Origins::new(vec![
            pair("https://shop.example", "https://s1.shop.localhost:8443"),
            pair(
                "https://api.shop.example:9000",
                "https://s1--api.shop.localhost:8443",
            ),
        ])
    }

    #[test]
    fn maps_only_whole_origins() {
        let cases = [
            (
                "https://shop.example/a?b",
                Some("https://s1.shop.localhost:8443/a?b"),
            ),
            (
                "HTTPS://Shop.Example/a",
                Some("https://s1.shop.localhost:8443/a"),
            ),
            (
                "https://shop.example",
                Some("https://s1.shop.localhost:8443"),
            ),
            ("https://shop.example.evil/a", None),
            ("https://shop.example:444/a", None),
            ("https://shop.example@evil/", None),
            ("/relative", None),
            (
                "5; url=https://api.shop.example:9000/x",
                Some("5; url=https://s1--api.shop.localhost:8443/x"),
            ),
        ];
        for (text, want) in cases {
            let got = origins().to_session(text).filter(|new| new != text);
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn requests_go_the_other_way() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://s1.shop.localhost:8443"),
        );
        headers.insert(
            header::REFERER,
            HeaderValue::from_static("https://s1--api.shop.localhost:8443/x"),
        );
        origins().map_request(&mut headers);
        assert_eq!(headers[header::ORIGIN], "https://shop.example");
        assert_eq!(headers[header::REFERER], "https://api.shop.example:9000/x");
    }

    #[test]
    fn a_redirect_back_and_forth_is_the_same() {
        let there = origins()
            .to_session("https://shop.example/x")
            .unwrap_or_default();
        assert_eq!(
            origins().to_app(&there).as_deref(),
            Some("https://shop.example/x")
        );
    }
}
