//! The one reading of a request, or every reason why it has none. Works on what hyper parsed; what is lost by
//! then (line ends, folds, framing) the guard has looked at.
//!
//! There is one canonical path, and it is what policy matches and what the upstream gets, byte for byte. Where
//! a route tolerates a finding, that same path holds in its decoded form: `%2F` became `/`, dot segments are
//! resolved, raw bytes are percent-encoded. What has no decoded form that can be sent (`%00`, `%0A`, `%5C`,
//! `%25XX`) stays encoded, for both.

mod fields;
mod hop;
mod host;
mod path;
mod query;
mod spoof;

pub use fields::is_websocket;
pub use hop::{Upgrades, remove_named, strip_hop_by_hop};
pub use host::Authority;
pub use query::names_method_override;
pub use spoof::Spoofable;

use crate::model::{Findings, Reason};
use crate::proxy::guard::Note;
use http::request::Parts;
use http::uri::{InvalidUri, PathAndQuery};
use http::{Method, Version};
use std::borrow::Cow;

/// What is known of a request besides its parts.
#[derive(Clone, Copy, Default)]
pub struct Seen<'a> {
    /// The scheme of the connection, for absolute-form and default ports: true for TLS.
    pub is_tls: bool,
    /// The guard's note on this request, if any. None over HTTP/2.
    pub note: Option<&'a Note>,
    /// Whether this host is served at all. None: the caller judges [`Canonical::host`] later.
    pub serves: Option<&'a (dyn Fn(&Authority<'_>) -> bool + Sync + 'a)>,
}

/// A request in its one reading. Only to be acted on if `findings` is empty, or tolerated by the route.
#[derive(Debug)]
pub struct Canonical<'a> {
    pub method: &'a Method,
    /// Unreserved characters decoded, hex digits in upper case. What policy matches and the upstream gets.
    pub path: Cow<'a, str>,
    /// As sent, but for what cannot be sent on as it is.
    pub query: Option<Cow<'a, str>>,
    /// None where there is none or none that can be read; then `findings` says so.
    pub host: Option<Authority<'a>>,
    /// The guard's and this stage's together.
    pub findings: Findings,
    /// Whether this is a WebSocket's opening handshake, over HTTP/1.1 or by RFC 8441.
    pub is_websocket: bool,
    original: Option<&'a PathAndQuery>,
    raw_target: Option<&'a str>,
    parts: &'a Parts,
}

/// Reads `parts`. Never fails: what cannot be read is a finding.
pub fn canonical<'a>(parts: &'a Parts, seen: &Seen<'a>) -> Canonical<'a> {
    let mut findings = seen.note.map_or(Findings::NONE, |note| note.findings);
    let fields = fields::read(parts, &mut findings);
    method(parts, &mut findings);
    let host = host::of(parts, &fields, seen.is_tls, &mut findings);
    if let (Some(host), Some(serves)) = (&host, seen.serves)
        && !serves(host)
    {
        findings.insert(Reason::HostForeign);
    }
    let raw_path = parts.uri.path();
    let path = if raw_path == "*" {
        if parts.method != Method::OPTIONS {
            findings.insert(Reason::TargetAsterisk);
        }
        Cow::Borrowed(raw_path)
    } else {
        path::canonical(raw_path, &mut findings)
    };
    let query = parts.uri.query();
    let query = query.map(|query| query::canonical(query, &mut findings));
    let is_unchanged = matches!(&path, Cow::Borrowed(_)) && !matches!(&query, Some(Cow::Owned(_)));
    Canonical {
        method: &parts.method,
        is_websocket: is_websocket(parts),
        original: parts.uri.path_and_query().filter(|_| is_unchanged),
        raw_target: seen.note.map(|note| &*note.target),
        path,
        query,
        host,
        findings,
        parts,
    }
}

/// CONNECT has only the extended form for a `WebSocket` here (RFC 8441). A method in lower case is GET to some parsers and
/// unknown to others; no method in the IANA registry has lower-case letters.
fn method(parts: &Parts, findings: &mut Findings) {
    let method = &parts.method;
    if *method == Method::CONNECT && !fields::is_extended_connect(parts) {
        findings.insert(Reason::TargetAuthority);
    }
    if method
        .as_str()
        .bytes()
        .any(|byte| byte.is_ascii_lowercase())
    {
        findings.insert(Reason::MethodCase);
    }
}

impl Canonical<'_> {
    /// The target that the upstream gets, in origin-form: `path`, and `?` and `query` where there is one.
    pub fn upstream_target(&self) -> Cow<'_, str> {
        if let Some(original) = self.original {
            return Cow::Borrowed(original.as_str());
        }
        match &self.query {
            Some(query) => Cow::Owned(format!("{}?{query}", self.path)),
            None => Cow::Borrowed(&self.path),
        }
    }

    /// [`Self::upstream_target`] for a `http::Uri`; shares the request's own bytes where nothing changed.
    /// An error only where encoding made it longer than `http` takes (65,534 bytes): answer 414.
    pub fn path_and_query(&self) -> Result<PathAndQuery, InvalidUri> {
        match self.original {
            Some(original) => Ok(original.clone()),
            None => PathAndQuery::try_from(self.upstream_target().into_owned()),
        }
    }

    /// The target as it was sent, for the record; escaped and bounded if the guard had to note it.
    pub fn raw_target(&self) -> Cow<'_, str> {
        let uri = &self.parts.uri;
        match (self.raw_target, uri.path_and_query()) {
            (Some(noted), _) => Cow::Borrowed(noted),
            (None, Some(target))
                if uri.scheme().is_none() || self.parts.version == Version::HTTP_2 =>
            {
                Cow::Borrowed(target.as_str())
            }
            _ => Cow::Owned(uri.to_string()),
        }
    }
}

/// The HTTP status that answers these findings: 417 for an unknown expectation, 505 for a version, 400 otherwise.
pub fn status(findings: Findings) -> u16 {
    match findings.first() {
        Some(Reason::Expectation) => 417,
        Some(Reason::Version) => 505,
        _ => 400,
    }
}

#[cfg(test)]
mod tests;
