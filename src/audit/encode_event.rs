//! Everything but exchanges as OCSF: who came and went (3002), what was granted (3003), alerts (2004), and the life of
//! Locum itself (6002).

use super::encode::{Encoder, OCSF, OTHER};
use super::escape::{self, number};
use super::event::Event;
use super::part::SessionPart;
use crate::model::{ExchangeId, Timestamp, Used};
use std::net::IpAddr;

/// An OCSF class and activity: `category_uid` is `uid / 1000`, `type_uid` is `uid * 100 + activity`.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) uid: u16,
    activity: u8,
    severity: u8,
}

pub(super) const fn class(uid: u16, activity: u8, severity: u8) -> Class {
    Class {
        uid,
        activity,
        severity,
    }
}

const LOGON: Class = class(3002, 1, 1);
const LOGOFF: Class = class(3002, 2, 1);
const ASSIGN: Class = class(3003, 1, 1);
const REVOKE: Class = class(3003, OTHER, 1);
const FINDING: Class = class(2004, 1, 4);
const API: Class = class(6003, OTHER, 1);
pub(super) const START: Class = class(6002, 3, 1);
const STOP: Class = class(6002, 4, 1);
const UPDATE: Class = class(6002, 8, 1);
const UPDATE_FAILED: Class = class(6002, 8, 3);
pub(super) const STATE: Class = class(6002, OTHER, 1);
pub(super) const TROUBLE: Class = class(6002, OTHER, 3);

/// A member of `locum`.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Flag(bool),
    /// An object of numbers.
    Counts(&'a [(&'a str, u64)]),
}

use Value::{Counts, Flag, Number, Text};

/// What one event becomes.
pub(super) struct Draft<'a> {
    pub(super) class: Class,
    pub(super) code: &'a str,
    pub(super) session: Option<&'a SessionPart>,
    exchange: Option<ExchangeId>,
    pub(super) client: Option<IpAddr>,
    /// Who did it, where no session says so.
    pub(super) actor: Option<&'a str>,
    /// Words with spaces between them, where no session says what was granted.
    pub(super) privileges: &'a str,
    pub(super) fields: &'a [(&'a str, Value<'a>)],
}

impl<'a> Draft<'a> {
    pub(super) fn new(class: Class, code: &'a str, fields: &'a [(&'a str, Value<'a>)]) -> Self {
        Self {
            class,
            code,
            session: None,
            exchange: None,
            client: None,
            actor: None,
            privileges: "",
            fields,
        }
    }

    fn session(self, session: impl Into<Option<&'a SessionPart>>) -> Self {
        Self {
            session: session.into(),
            ..self
        }
    }

    pub(super) fn exchange(self, exchange: impl Into<Option<ExchangeId>>) -> Self {
        Self {
            exchange: exchange.into(),
            ..self
        }
    }

    pub(super) fn actor(self, actor: &'a str) -> Self {
        Self {
            actor: Some(actor),
            ..self
        }
    }

    pub(super) fn client(self, client: Option<IpAddr>) -> Self {
        Self { client, ..self }
    }

    pub(super) fn privileges(self, privileges: &'a str) -> Self {
        Self { privileges, ..self }
    }
}

impl Encoder {
    pub(super) fn event(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        match event {
            Event::SessionStarted { .. }
            | Event::SessionEnded { .. }
            | Event::GrantIssued { .. }
            | Event::GrantRevoked { .. } => self.access(out, event, at),
            Event::Alert { .. } | Event::ShadowDiffers { .. } | Event::WebSocketEnded { .. } => {
                self.traffic(out, event, at);
            }
            Event::Room { .. } | Event::ClockStepped(_) | Event::RefusalsCounted { .. } => {
                self.watched(out, event, at);
            }
            Event::Control(happened) => self.control(out, happened, at),
            Event::RecordingMarked { .. } | Event::RecordingState { .. } => {
                self.recording(out, event, at);
            }
            _ => self.operation(out, event, at),
        }
    }

    /// Who came and went, and with what authority.
    fn access(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        let mut write = |draft: Draft<'_>| self.draft(out, &draft, at);
        match *event {
            Event::SessionStarted { session, client } => {
                let draft = Draft::new(LOGON, "session.started", &[]);
                write(draft.session(session).client(client));
            }
            Event::SessionEnded {
                session,
                cause,
                by,
                used,
            } => {
                let moments = used.map(|used| [used.first, used.last]);
                let moments = moments.unwrap_or_default();
                let moments = moments.map(|at| at.map(|at| at.to_string()));
                let mut fields = vec![("cause", Text(cause.as_str())), ("by", Text(by))];
                fields.extend(used.iter().flat_map(counts));
                for (name, at) in ["first_used", "last_used"].into_iter().zip(&moments) {
                    fields.extend(at.as_deref().map(|at| (name, Text(at))));
                }
                write(Draft::new(LOGOFF, "session.ended", &fields).session(session));
            }
            Event::GrantIssued { grant, by } => {
                write(Draft::new(ASSIGN, "grant.issued", &[("by", Text(by))]).session(grant));
            }
            Event::GrantRevoked { grant, by } => {
                write(Draft::new(REVOKE, "grant.revoked", &[("by", Text(by))]).session(grant));
            }
            other => debug_assert!(false, "{other:?} has no encoding here"),
        }
    }

    /// What happened beside an exchange.
    fn traffic(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        let mut write = |draft: Draft<'_>| self.draft(out, &draft, at);
        match *event {
            Event::Alert {
                kind,
                session,
                exchange,
                client,
                detail,
            } => {
                let fields = [("kind", Text(kind)), ("detail", Text(detail))];
                let draft = Draft::new(FINDING, "alert", &fields).session(session);
                write(draft.exchange(exchange).client(client));
            }
            Event::ShadowDiffers {
                session,
                exchange,
                live_rule,
                shadow_rule,
                shadow_permits,
                shadow_digest,
            } => {
                let fields = [
                    ("rule", Text(live_rule)),
                    ("shadow_rule", Text(shadow_rule)),
                    ("shadow_permits", Flag(shadow_permits)),
                    ("shadow_policy", Text(shadow_digest)),
                ];
                let draft = Draft::new(API, "shadow.differs", &fields).session(session);
                write(draft.exchange(exchange));
            }
            Event::WebSocketEnded {
                session,
                exchange,
                messages_in,
                messages_out,
                bytes_in,
                bytes_out,
                refused,
                cause,
            } => {
                let fields = [
                    ("messages_in", Number(messages_in)),
                    ("messages_out", Number(messages_out)),
                    ("bytes_in", Number(bytes_in)),
                    ("bytes_out", Number(bytes_out)),
                    ("messages_refused", Number(refused)),
                    ("cause", Text(cause)),
                ];
                let draft = Draft::new(API, "websocket.ended", &fields).session(session);
                write(draft.exchange(exchange));
            }
            other => debug_assert!(false, "{other:?} has no encoding here"),
        }
    }

    /// The life of Locum itself.
    fn operation(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        let mut write = |draft: Draft<'_>| self.draft(out, &draft, at);
        match *event {
            Event::PolicyLoaded { digest, rows } => {
                let fields = [("policy", Text(digest)), ("rows", Number(rows))];
                write(Draft::new(UPDATE, "policy.loaded", &fields));
            }
            Event::PolicyRefused { digest, problem } => {
                let fields = [("policy", Text(digest)), ("problem", Text(problem))];
                write(Draft::new(UPDATE_FAILED, "policy.refused", &fields));
            }
            Event::ConfigReloaded { digest } => {
                let fields = [("config", Text(digest))];
                write(Draft::new(UPDATE, "config.reloaded", &fields));
            }
            Event::ConfigRefused { problem } => {
                let fields = [("problem", Text(problem))];
                write(Draft::new(UPDATE_FAILED, "config.refused", &fields));
            }
            Event::SinkState {
                sink,
                up,
                sequence,
                detail,
            } => {
                let fields = [
                    ("sink", Text(sink)),
                    ("up", Flag(up)),
                    ("sink_sequence", Number(sequence)),
                    ("detail", Text(detail)),
                ];
                let class = if up { STATE } else { TROUBLE };
                write(Draft::new(class, "sink.state", &fields));
            }
            Event::IndexRebuilt { why, records } => {
                let fields = [("cause", Text(why)), ("records", Number(records))];
                write(Draft::new(TROUBLE, "index.rebuilt", &fields));
            }
            Event::ProcessStopped { cause } => {
                write(Draft::new(
                    STOP,
                    "process.stopped",
                    &[("cause", Text(cause))],
                ));
            }
            other => debug_assert!(false, "{other:?} has no encoding here"),
        }
    }

    pub(super) fn draft(&self, out: &mut Vec<u8>, draft: &Draft<'_>, at: Timestamp) {
        let class = draft.class;
        out.extend_from_slice(b"{\"time\":");
        number(out, u64::try_from(at.millis()).unwrap_or(0));
        for (name, value) in [
            ("category_uid", u64::from(class.uid / 1000)),
            ("class_uid", u64::from(class.uid)),
            ("activity_id", u64::from(class.activity)),
            (
                "type_uid",
                u64::from(class.uid) * 100 + u64::from(class.activity),
            ),
            ("severity_id", u64::from(class.severity)),
        ] {
            out.push(b',');
            escape::key(out, name);
            number(out, value);
        }
        out.extend_from_slice(b",\"metadata\":{\"version\":\"");
        out.extend_from_slice(OCSF.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&self.product);
        out.extend_from_slice(b",\"event_code\":\"");
        out.extend_from_slice(draft.code.as_bytes());
        out.extend_from_slice(b"\",\"uid\":\"");
        event_uid(out);
        out.push(b'"');
        if let Some(exchange) = draft.exchange {
            out.extend_from_slice(b",\"correlation_uid\":\"");
            exchange.write(out);
            out.push(b'"');
        }
        out.extend_from_slice(b"},");
        if class.activity == OTHER {
            out.extend_from_slice(b"\"activity_name\":");
            escape::string(out, draft.code.as_bytes(), self.max_field);
            out.push(b',');
        }
        self.class_members(out, draft);
        out.extend_from_slice(b"\"locum\":{");
        if let Some(session) = draft.session {
            if class.uid == 2004 {
                // A finding has no actor of its own.
                out.extend_from_slice(b"\"operator\":");
                out.extend_from_slice(session.operator());
                out.push(b',');
            }
            out.extend_from_slice(session.full());
        }
        for (name, value) in draft.fields {
            escape::key(out, name);
            match value {
                Text(text) => escape::string(out, text.as_bytes(), self.max_field),
                Number(n) => number(out, *n),
                Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
                Counts(counts) => self.object(out, counts),
            }
            out.push(b',');
        }
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b'}');
    }
}

/// A session's summary in numbers.
fn counts<'a>(used: &Used) -> [(&'a str, Value<'a>); 6] {
    [
        ("requests", Number(used.requests)),
        ("reads", Number(used.reads)),
        ("changes", Number(used.changes)),
        ("refusals", Number(used.refusals)),
        ("request_bytes", Number(used.request_bytes)),
        ("response_bytes", Number(used.response_bytes)),
    ]
}

/// 128 random bits: an id for what is no exchange.
pub(super) fn event_uid(out: &mut Vec<u8>) {
    let mut bytes = [0u8; 16];
    // Ids are no secrets; the chain's sequence number is unique in any case.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    out.push(b'e');
    escape::lower_hex(out, &bytes);
}
