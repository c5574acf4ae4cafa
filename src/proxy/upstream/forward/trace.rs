//! The W3C trace context, passed on as it came.

use http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Passes a W3C trace context on as it came if it has the form of one, and drops it if not.
pub(super) fn check(headers: &mut HeaderMap) {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let Some(parent) = parents.next() else {
        // A state without its parent means nothing (W3C Trace Context §3.3).
        headers.remove(TRACESTATE);
        return;
    };
    if parents.next().is_some() || !is_traceparent(parent.as_bytes()) {
        headers.remove(TRACEPARENT);
        headers.remove(TRACESTATE);
        return;
    }
    let states = headers.get_all(TRACESTATE).iter();
    let (mut length, mut plain) = (0, true);
    for state in states {
        length += state.len();
        plain &= state
            .as_bytes()
            .iter()
            .all(|b| matches!(b, b' '..=b'~' | b'\t'));
    }
    if length > 8192 || !plain {
        headers.remove(TRACESTATE);
    }
}

/// W3C Trace Context §3.2: `version-traceid-parentid-flags` in lower-case hexadecimal, ids not all zero.
fn is_traceparent(value: &[u8]) -> bool {
    let mut parts = value.split(|b| *b == b'-');
    let mut part = |length: usize| {
        parts.next().is_some_and(|p| {
            p.len() == length && p.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let shaped = part(2) && part(32) && part(16) && part(2);
    let ended = parts.next().is_none();
    let zero = |from: usize, to: usize| {
        value
            .get(from..to)
            .is_none_or(|id| id.iter().all(|b| *b == b'0'))
    };
    let version = value.get(..2);
    shaped
        && (ended || version != Some(b"00"))
        && version != Some(b"ff")
        && !zero(3, 35)
        && !zero(36, 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn trace_context_passes_only_in_its_form() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = map(&[("traceparent", good), ("tracestate", "a=1")]);
        check(&mut headers);
        assert_eq!(
            headers.get("traceparent").map(HeaderValue::as_bytes),
            Some(good.as_bytes())
        );
        assert!(headers.contains_key("tracestate"));
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let later = format!("{good}-x");
        for bad in [
            "",
            "x",
            zeros,
            &good.to_uppercase(),
            &later,
            &good.replacen("00", "ff", 1),
        ] {
            let mut headers = map(&[("traceparent", bad), ("tracestate", "a=1")]);
            check(&mut headers);
            assert!(headers.is_empty(), "{bad}");
        }
        let mut twice = map(&[("traceparent", good), ("traceparent", good)]);
        check(&mut twice);
        assert!(twice.is_empty());
    }

    proptest! {
        #[test]
        fn no_traceparent_panics(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = is_traceparent(&value);
        }
    }
}
