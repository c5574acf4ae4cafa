//! The names under which a client could claim to be somebody or somewhere else.

use http::{HeaderMap, HeaderName};

/// Names under which clients and proxies claim where a request comes from or what it is for. They are
/// dropped unless the peer is a trusted proxy; spelled with `_` or `.` for `-` they are dropped always.
pub const SPOOFABLE: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-by",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-original-for",
    "x-original-forwarded-for",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
    "x-host",
    "x-http-host-override",
    "x-remote-addr",
    "x-remote-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "client-ip",
    "front-end-https",
];

/// Drops them; what a trusted proxy wrote stays.
pub(super) fn strip(headers: &mut HeaderMap, trusted: bool) {
    let drop = |name: &&HeaderName| {
        let name = name.as_str();
        // Each listed name starts with one of these; most names of most requests end here.
        let first = name.as_bytes().first().copied().unwrap_or(0);
        matches!(first, b'x' | b'f' | b't' | b'c')
            && SPOOFABLE.iter().any(|listed| reads_as(name, listed))
            && !(trusted && SPOOFABLE.contains(&name))
    };
    let found: Vec<HeaderName> = headers.keys().filter(drop).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Whether some apps would take `name` for `listed`: CGI-like ones turn `-` into `_`, and some `.` as well.
fn reads_as(name: &str, listed: &str) -> bool {
    let plain = |b: u8| if matches!(b, b'_' | b'.') { b'-' } else { b };
    name.len() == listed.len() && name.bytes().map(plain).eq(listed.bytes())
}
