//! Header fields that are for one connection only (RFC 9110 §7.6.1).

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

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
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    const PROXY_AUTHORIZATION: HeaderName = HeaderName::from_static("proxy-authorization");
    const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    let takes_trailers = headers.get_all(TE).iter().any(names_trailers);
    strip_nominated(headers);
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHORIZATION,
        HTTP2_SETTINGS,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
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
