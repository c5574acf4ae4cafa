//! Exchanges as OCSF API Activity (6003), written straight into a buffer. The chain is added later.
//!
//! Shape: <https://schema.ocsf.io/classes/api_activity>; ours beside it: the extension object `locum`.

use super::escape::{self, number};
use super::part::SessionPart;
use super::record::{Closing, Opening, Outcome, Refusal};
use super::redact::Redactor;
use crate::model::{Effect, ExchangeId, Record, Timestamp};
use std::net::IpAddr;

/// The version of the OCSF schema that the records follow.
pub(super) const OCSF: &str = "1.6.0";

/// What adds `locum`, `seq`, `prev` and `hash` to a record. 999 is OCSF's number for extensions that are not registered.
const EXTENSION: &[u8] =
    b"\"extensions\":[{\"name\":\"locum\",\"uid\":\"999\",\"version\":\"1.0.0\"}]";

/// What encoding needs of the settings.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) redactor: Redactor,
    pub(super) max_field: usize,
    /// `"product":{…},"extensions":[…]`, the same in each record.
    pub(super) product: Vec<u8>,
}

/// What a close repeats of its opening, so that each record can be read alone.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) exchange: ExchangeId,
    pub(super) session: Option<SessionPart>,
    pub(super) activity: u8,
    /// `"api":{…},"src_endpoint":{…},"dst_endpoint":{…},`
    pub(super) endpoints: Box<[u8]>,
    /// `"http_method":"…",`; `"method":"…",` for `locum` where OCSF does not know the method.
    pub(super) method: Box<[u8]>,
}

/// The methods that OCSF 1.6 knows: `http_request.http_method` is one of them.
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT",
];

fn is_ocsf(method: &[u8]) -> bool {
    method.starts_with(b"\"http_method\"")
}

/// OCSF `activity_id` for what it does not know.
pub(super) const OTHER: u8 = 99;

/// OCSF `activity_id` of class 6003.
pub(super) fn activity(method: &str) -> u8 {
    match method {
        "POST" => 1,
        "GET" | "HEAD" | "OPTIONS" | "QUERY" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => OTHER,
    }
}

impl Encoder {
    pub(super) fn new(redact: &[String], max_field: usize) -> Self {
        let mut product =
            b"\"product\":{\"name\":\"Locum\",\"vendor_name\":\"Locum\",\"version\":\"".to_vec();
        product.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
        product.extend_from_slice(b"\"},");
        product.extend_from_slice(EXTENSION);
        Self {
            redactor: Redactor::new(redact),
            max_field,
            product,
        }
    }

    /// The opening; returns what its close will repeat.
    pub(super) fn opening(
        &self,
        out: &mut Vec<u8>,
        opening: &Opening<'_>,
        at: Timestamp,
    ) -> Context {
        let activity = activity(opening.method);
        // Status 0 is unknown: there is none yet. Action 1 is allowed.
        class(
            out,
            at,
            activity,
            b"\"severity_id\":1,\"status_id\":0,\"action_id\":1,",
        );
        self.activity_name(out, activity, opening.method);
        self.metadata(out, "exchange.opened", opening.exchange, "open");
        let start = out.len();
        self.endpoints(out, opening);
        let endpoints = out.get(start..).unwrap_or_default().into();
        actor(out, opening);
        out.extend_from_slice(b"\"http_request\":{");
        let method = self.method(opening.method);
        self.request(out, opening, &method);
        out.extend_from_slice(b"},\"locum\":{");
        self.locum(out, opening, &method);
        out.push(b'}');
        Context {
            exchange: opening.exchange,
            session: opening.session.cloned(),
            activity,
            endpoints,
            method,
        }
    }

    /// A refusal: opening and close in one.
    pub(super) fn refusal(&self, out: &mut Vec<u8>, refusal: &Refusal<'_>, at: Timestamp) {
        let opening = &refusal.opening;
        // Locum may also answer well by itself: an empty script in place of a service worker.
        let (code, outcome, ids): (_, &[u8], &[u8]) = if refusal.status < 400 {
            let ids = b"\"severity_id\":1,\"status_id\":1,\"action_id\":1,";
            ("exchange.answered", b"answered", ids)
        } else {
            let ids = b"\"severity_id\":2,\"status_id\":2,\"action_id\":2,";
            ("exchange.refused", b"refused", ids)
        };
        let activity = activity(opening.method);
        class(out, at, activity, ids);
        self.activity_name(out, activity, opening.method);
        status_code(out, refusal.status);
        self.text(out, "status_detail", refusal.reason.as_bytes());
        out.push(b',');
        self.metadata(out, code, opening.exchange, "whole");
        self.endpoints(out, opening);
        actor(out, opening);
        out.extend_from_slice(b"\"http_request\":{");
        let method = self.method(opening.method);
        self.request(out, opening, &method);
        out.extend_from_slice(b"},\"http_response\":{\"code\":");
        number(out, u64::from(refusal.status));
        out.extend_from_slice(b"},\"locum\":{\"outcome\":\"");
        out.extend_from_slice(outcome);
        out.extend_from_slice(b"\",");
        if !refusal.detail.is_empty() {
            self.text(out, "detail", refusal.detail.as_bytes());
            out.push(b',');
        }
        self.locum(out, opening, &method);
        out.push(b'}');
    }

    /// The close of an exchange. `total_us` is the whole duration in microseconds.
    pub(super) fn closing(
        &self,
        out: &mut Vec<u8>,
        context: &Context,
        closing: &Closing<'_>,
        total_us: u64,
        at: Timestamp,
    ) {
        let (exchange, session) = (context.exchange, context.session.as_ref());
        let failed = closing.outcome != Outcome::Done || closing.status.is_none_or(|s| s >= 400);
        class(
            out,
            at,
            context.activity,
            if failed {
                b"\"severity_id\":1,\"status_id\":2,\"action_id\":1,"
            } else {
                b"\"severity_id\":1,\"status_id\":1,\"action_id\":1,"
            },
        );
        if context.activity == OTHER {
            out.extend_from_slice(b"\"activity_name\":");
            let value = context.method.splitn(2, |b| *b == b':').nth(1);
            out.extend_from_slice(value.unwrap_or(b"\"Other\","));
        }
        if let Some(status) = closing.status {
            status_code(out, status);
        }
        if !closing.cause.is_empty() {
            self.text(out, "status_detail", closing.cause.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(b"\"duration\":");
        number(out, total_us / 1000);
        out.push(b',');
        self.metadata(out, "exchange.closed", exchange, "close");
        out.extend_from_slice(&context.endpoints);
        out.extend_from_slice(session.map_or(NOBODY, SessionPart::actor));
        out.extend_from_slice(b"\"http_request\":{");
        if is_ocsf(&context.method) {
            out.extend_from_slice(&context.method);
        }
        out.extend_from_slice(b"\"body_length\":");
        number(out, closing.request_bytes);
        out.push(b'}');
        if let Some(status) = closing.status {
            out.extend_from_slice(b",\"http_response\":{\"code\":");
            number(out, u64::from(status));
            out.extend_from_slice(b",\"body_length\":");
            number(out, closing.response_bytes);
            out.push(b'}');
        }
        out.extend_from_slice(b",\"locum\":{\"outcome\":\"");
        out.extend_from_slice(closing.outcome.as_str().as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(session.map_or(b"" as &[u8], SessionPart::brief));
        if !is_ocsf(&context.method) {
            out.extend_from_slice(&context.method);
        }
        if let Some(upstream) = closing.upstream {
            self.text(out, "upstream", upstream.as_bytes());
            out.push(b',');
        }
        results(out, closing, total_us);
        out.push(b'}');
    }

    fn metadata(&self, out: &mut Vec<u8>, code: &str, exchange: ExchangeId, step: &str) {
        out.extend_from_slice(b"\"metadata\":{\"version\":\"");
        out.extend_from_slice(OCSF.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&self.product);
        out.extend_from_slice(b",\"profiles\":[\"security_control\"],\"event_code\":\"");
        out.extend_from_slice(code.as_bytes());
        out.extend_from_slice(b"\",\"uid\":\"");
        exchange.write(out);
        out.push(b'/');
        out.extend_from_slice(step.as_bytes());
        out.extend_from_slice(b"\",\"correlation_uid\":\"");
        exchange.write(out);
        out.extend_from_slice(b"\"},");
    }

    fn endpoints(&self, out: &mut Vec<u8>, opening: &Opening<'_>) {
        out.extend_from_slice(b"\"api\":{");
        let action = opening.decision.map_or("unknown", |d| &d.action);
        self.text(out, "operation", action.as_bytes());
        out.extend_from_slice(b",\"service\":{");
        self.text(out, "name", opening.app.as_bytes());
        out.extend_from_slice(b"}},\"src_endpoint\":{\"ip\":\"");
        ip(out, opening.client.ip());
        out.extend_from_slice(b"\",\"port\":");
        number(out, u64::from(opening.client.port()));
        out.extend_from_slice(b"},");
        if let Some(upstream) = opening.upstream {
            out.extend_from_slice(b"\"dst_endpoint\":{");
            self.text(out, "name", upstream.as_bytes());
            out.extend_from_slice(b"},");
        }
    }

    /// As in [`Context::method`].
    fn method(&self, method: &str) -> Box<[u8]> {
        let mut out = Vec::with_capacity(24);
        let is_known = METHODS.contains(&method);
        escape::key(&mut out, if is_known { "http_method" } else { "method" });
        escape::string(&mut out, method.as_bytes(), self.max_field);
        out.push(b',');
        out.into()
    }

    /// The members of `http_request`.
    fn request(&self, out: &mut Vec<u8>, opening: &Opening<'_>, method: &[u8]) {
        if is_ocsf(method) {
            out.extend_from_slice(method);
        }
        out.extend_from_slice(b"\"url\":{");
        let (hostname, port) = host_and_port(opening.host);
        self.text(out, "hostname", hostname);
        if let Some(port) = port {
            out.extend_from_slice(b",\"port\":");
            number(out, u64::from(port));
        }
        if let Some(canonical) = opening.canonical {
            let (path, query) = canonical
                .split_once('?')
                .map_or((canonical, None), |(path, query)| (path, Some(query)));
            out.extend_from_slice(b",\"path\":");
            self.redactor.string(out, path.as_bytes(), self.max_field);
            if let Some(query) = query {
                out.extend_from_slice(b",\"query_string\":");
                self.redactor
                    .query_string(out, query.as_bytes(), self.max_field);
            }
        } else {
            // What cannot be read in one way only has no path: it stands here as it came.
            out.push(b',');
            self.redacted(out, "url_string", opening.target);
        }
        out.push(b'}');
        if let Some(agent) = opening.user_agent {
            out.push(b',');
            self.text(out, "user_agent", agent);
        }
    }

    /// The members of `locum` for openings and refusals; the last one has no comma.
    fn locum(&self, out: &mut Vec<u8>, opening: &Opening<'_>, method: &[u8]) {
        if !is_ocsf(method) {
            out.extend_from_slice(method);
        }
        if let Some(session) = opening.session {
            out.extend_from_slice(session.full());
        }
        if let Some(policy) = opening.policy {
            out.extend_from_slice(policy.encoded());
        }
        if let Some(decision) = opening.decision {
            out.extend_from_slice(match decision.effect {
                Effect::Permit => b"\"decision\":\"permit\",",
                Effect::Deny => b"\"decision\":\"deny\",",
            });
            self.text(out, "rule", decision.rule.as_bytes());
            out.push(b',');
            self.text(out, "action", decision.action.as_bytes());
            out.push(b',');
            self.redacted(out, "resource", decision.resource.as_bytes());
            out.extend_from_slice(b",\"tier\":\"");
            out.extend_from_slice(decision.tier.as_str().as_bytes());
            out.extend_from_slice(b"\",");
        }
        if opening.canonical.map(str::as_bytes) != Some(opening.target) {
            self.redacted(out, "raw_target", opening.target);
            out.push(b',');
        }
        out.extend_from_slice(b"\"protocol\":\"");
        out.extend_from_slice(opening.protocol.as_str().as_bytes());
        out.push(b'"');
        if opening.record != Record::None {
            out.extend_from_slice(b",\"recording\":{\"mode\":\"");
            out.extend_from_slice(opening.record.as_str().as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }

    /// OCSF wants a word for what it does not know.
    fn activity_name(&self, out: &mut Vec<u8>, activity: u8, method: &str) {
        if activity == OTHER {
            self.text(out, "activity_name", method.as_bytes());
            out.push(b',');
        }
    }

    fn text(&self, out: &mut Vec<u8>, key: &str, value: &[u8]) {
        escape::key(out, key);
        escape::string(out, value, self.max_field);
    }

    fn redacted(&self, out: &mut Vec<u8>, key: &str, value: &[u8]) {
        escape::key(out, key);
        self.redactor.string(out, value, self.max_field);
    }
}

/// OCSF wants a name or an id; type 0 is unknown.
const NOBODY: &[u8] = b"\"actor\":{\"user\":{\"name\":\"unknown\",\"type_id\":0}},";

fn actor(out: &mut Vec<u8>, opening: &Opening<'_>) {
    out.extend_from_slice(opening.session.map_or(NOBODY, SessionPart::actor));
}

fn class(out: &mut Vec<u8>, at: Timestamp, activity: u8, ids: &[u8]) {
    out.extend_from_slice(b"{\"time\":");
    number(out, u64::try_from(at.millis()).unwrap_or(0));
    out.extend_from_slice(b",\"category_uid\":6,\"class_uid\":6003,\"activity_id\":");
    number(out, u64::from(activity));
    out.extend_from_slice(b",\"type_uid\":");
    number(out, 600_300 + u64::from(activity));
    out.push(b',');
    out.extend_from_slice(ids);
}

/// An authority as sent, taken apart: name or address without brackets, and the port where there is one.
fn host_and_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let (name, port) = match memchr::memrchr(b':', host) {
        Some(at) => {
            let port = host.get(at + 1..).and_then(|p| std::str::from_utf8(p).ok());
            let port = port.filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
            (host.get(..at), port.and_then(|p| p.parse().ok()))
        }
        None => (None, None),
    };
    let (name, port) = match (name, port) {
        // An IPv6 address ends with its bracket.
        (Some(name), Some(port)) if !name.contains(&b':') || name.ends_with(b"]") => {
            (name, Some(port))
        }
        _ => (host, None),
    };
    let bare = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]"));
    (bare.unwrap_or(name), port)
}

fn status_code(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"\"status_code\":\"");
    number(out, u64::from(status));
    out.extend_from_slice(b"\",");
}

/// Sizes, digests and times of a close; the last member has no comma.
fn results(out: &mut Vec<u8>, closing: &Closing<'_>, total_us: u64) {
    for (key, digest) in [
        ("request_sha256", &closing.request_sha256),
        ("response_sha256", &closing.response_sha256),
    ] {
        if let Some(digest) = digest {
            escape::key(out, key);
            out.push(b'"');
            escape::lower_hex(out, digest);
            out.extend_from_slice(b"\",");
        }
    }
    if let Some(first_byte) = closing.first_byte {
        out.extend_from_slice(b"\"first_byte_us\":");
        number(out, micros(first_byte));
        out.push(b',');
    }
    out.extend_from_slice(b"\"total_us\":");
    number(out, total_us);
    out.extend_from_slice(b",\"banner\":\"");
    out.extend_from_slice(closing.banner.as_str().as_bytes());
    out.push(b'"');
    if let Some(kept) = closing.kept {
        super::encode_tape::write(out, kept);
    }
}

pub(super) fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// `Display` of an IPv4 address costs more than the rest of a record's numbers together.
pub(super) fn ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                number(out, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => {
            let _ = std::io::Write::write_fmt(out, format_args!("{v6}"));
        }
    }
}
