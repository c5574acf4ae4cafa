//! Header fields that are for one connection only (RFC 9110 §7.6.1).

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, HeaderValue, TE, UPGRADE};
use smallvec::SmallVec;

/// What becomes of `Upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrades {
    /// It goes, as the rest.
    Drop,
    /// `Connection: upgrade` and `Upgrade: websocket` are put on again, for an HTTP/1.1 handshake.
    KeepWebSocket,
}

/// Removes hop-by-hop fields from a request or response, and what its `Connection` nominates. `TE: trailers`
/// stays, since trailers are forwarded. `Trailer` is end-to-end. On HTTP/2 set [`Upgrades::Drop`].
pub fn strip_hop_by_hop(headers: &mut HeaderMap, upgrades: Upgrades) {
    let found = named(headers, is_hop_by_hop);
    let takes_trailers = found.contains(&TE) && headers.get_all(TE).iter().any(names_trailers);
    if found.contains(&CONNECTION) {
        strip_nominated(headers);
    }
    for name in found {
        headers.remove(name);
    }
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if upgrades == Upgrades::KeepWebSocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// The fields whose names `is_one` takes. Most heads have few or none of those that are looked for together: a walk over
/// the names costs less than asking for each.
fn named(headers: &HeaderMap, is_one: impl Fn(&str) -> bool) -> SmallVec<[HeaderName; 4]> {
    let names = headers.keys();
    names
        .filter(|name| is_one(name.as_str()))
        .cloned()
        .collect()
}

/// Removes all fields whose names `is_one` takes.
pub fn remove_named(headers: &mut HeaderMap, is_one: impl Fn(&str) -> bool) {
    for name in named(headers, is_one) {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "http2-settings"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn names_trailers(value: &HeaderValue) -> bool {
    let codings = value.as_bytes().split(|byte| *byte == b',');
    codings
        .map(<[u8]>::trim_ascii)
        .any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

fn strip_nominated(headers: &mut HeaderMap) {
    let mut nominated = Vec::new();
    for value in headers.get_all(CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            let is_usual = [&b"close"[..], b"keep-alive", b"upgrade"]
                .iter()
                .any(|usual| option.eq_ignore_ascii_case(usual));
            if !is_usual && let Ok(name) = HeaderName::from_bytes(option) {
                nominated.push(name);
            }
        }
    }
    for name in nominated {
        headers.remove(name);
    }
}
