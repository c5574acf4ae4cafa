//! The header fields that change what a request means, found in one walk over all of them.

use super::spoof::plain;
use crate::model::{Findings, Reason};
use http::header::{CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Version};

/// What the walk saw.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Option<&'a HeaderValue>,
    pub(super) hosts: usize,
}

/// Whether this is a WebSocket's opening handshake: RFC 6455 §4.1, or RFC 8441 §4 over HTTP/2.
pub fn is_websocket(parts: &Parts) -> bool {
    if parts.version == Version::HTTP_2 {
        return is_extended_connect(parts);
    }
    let names = |name: HeaderName, option: &[u8]| {
        let mut values = parts.headers.get_all(name).iter();
        values.any(|value| list(value).any(|one| one.eq_ignore_ascii_case(option)))
    };
    // Hardly any request has `Upgrade`, so that is asked first.
    names(UPGRADE, b"websocket")
        && parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && names(CONNECTION, b"upgrade")
}

/// RFC 8441 §4. The one protocol that Locum speaks; another would be a tunnel that nobody looks into.
pub(super) fn is_extended_connect(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<hyper::ext::Protocol>();
    parts.method == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Walks the headers of `parts` once.
pub(super) fn read<'a>(parts: &'a Parts, findings: &mut Findings) -> Fields<'a> {
    let mut fields = Fields::default();
    for (name, value) in &parts.headers {
        if *name == HOST {
            fields.hosts += 1;
            fields.host = fields.host.or(Some(value));
        } else if *name == CONNECTION {
            connection(value, findings);
        } else if *name == UPGRADE {
            upgrade(value, findings);
        } else if *name == EXPECT {
            if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
                findings.insert(Reason::Expectation);
            }
        } else {
            other(name, findings);
        }
    }
    fields
}

fn list(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let parts = value.as_bytes().split(|byte| *byte == b',');
    parts
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
}

/// RFC 9110 §7.6.1. A recipient drops what `Connection` nominates: nominating anything else is a way to have
/// a header removed that someone further on decides by.
fn connection(value: &HeaderValue, findings: &mut Findings) {
    for option in list(value) {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        let known = [
            "upgrade",
            "keep-alive",
            "close",
            "te",
            "trailer",
            "trailers",
            "proxy-connection",
            "http2-settings",
        ];
        if !known.into_iter().any(is) {
            findings.insert(Reason::ConnectionNominates);
        }
    }
}

fn upgrade(value: &HeaderValue, findings: &mut Findings) {
    for protocol in list(value) {
        let start = protocol.get(..3);
        if start.is_some_and(|start| start.eq_ignore_ascii_case(b"h2c")) {
            findings.insert(Reason::H2cUpgrade);
        }
    }
}

/// Names that no request may carry, and disguises of names that matter.
#[inline]
fn other(name: &HeaderName, findings: &mut Findings) {
    let name = name.as_str();
    match name.len() {
        13 | 17 | 22 if is_override(name) => findings.insert(Reason::MethodOverride),
        14 if name == "http2-settings" => findings.insert(Reason::H2cUpgrade),
        _ => {}
    }
    if memchr::memchr2(b'_', b'.', name.as_bytes()).is_some() {
        let plain: String = name.bytes().map(|byte| char::from(plain(byte))).collect();
        if is_override(&plain) {
            findings.insert(Reason::MethodOverride);
        }
        if matters(&plain) {
            findings.insert(Reason::HeaderAlias);
        }
    }
}

fn is_override(name: &str) -> bool {
    matches!(
        name,
        "x-http-method-override" | "x-http-method" | "x-method-override"
    )
}

/// Fields that framing, routing, authentication or trust in the client depend on.
fn matters(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "connection"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "cookie"
            | "expect"
            | "forwarded"
            | "host"
            | "http2-settings"
            | "origin"
            | "referer"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "via"
            | "x-real-ip"
            | "x-original-url"
            | "x-rewrite-url"
            | "true-client-ip"
            | "keep-alive"
    ) || name.starts_with("x-forwarded-")
        || name.starts_with("proxy-")
        || name.starts_with("sec-websocket-")
}
