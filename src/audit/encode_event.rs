//! Everything but exchanges as OCSF: who came and went (3002), what was granted (3003), alerts (2004), and the life of
//! Locum itself (6002).

use super::encode::{Encoder, OCSF, ip, key};
use super::escape::{self, number};
use super::event::Event;
use super::part::SessionPart;
use crate::model::{EndCause, ExchangeId, Timestamp};
use std::net::IpAddr;

/// An OCSF class and activity: `type_uid` is `class * 100 + activity`.
#[derive(Clone, Copy)]
pub(super) struct Class {
    category: u8,
    class: u16,
    activity: u8,
    severity: u8,
}

const LOGON: Class = Class {
    category: 3,
    class: 3002,
    activity: 1,
    severity: 1,
};
const LOGOFF: Class = Class {
    category: 3,
    class: 3002,
    activity: 2,
    severity: 1,
};
const ASSIGN: Class = Class {
    category: 3,
    class: 3003,
    activity: 1,
    severity: 1,
};
const REVOKE: Class = Class {
    category: 3,
    class: 3003,
    activity: 99,
    severity: 1,
};
const FINDING: Class = Class {
    category: 2,
    class: 2004,
    activity: 1,
    severity: 4,
};
const API: Class = Class {
    category: 6,
    class: 6003,
    activity: 99,
    severity: 1,
};
pub(super) const START: Class = Class {
    category: 6,
    class: 6002,
    activity: 3,
    severity: 1,
};
const STOP: Class = Class {
    category: 6,
    class: 6002,
    activity: 4,
    severity: 1,
};
const UPDATE: Class = Class {
    category: 6,
    class: 6002,
    activity: 8,
    severity: 1,
};
const UPDATE_FAILED: Class = Class {
    category: 6,
    class: 6002,
    activity: 8,
    severity: 3,
};
pub(super) const STATE: Class = Class {
    category: 6,
    class: 6002,
    activity: 99,
    severity: 1,
};
pub(super) const TROUBLE: Class = Class {
    category: 6,
    class: 6002,
    activity: 99,
    severity: 3,
};

/// A member of `locum`.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Flag(bool),
}

use Value::{Flag, Number, Text};

/// What one event becomes.
pub(super) struct Draft<'a> {
    class: Class,
    code: &'static str,
    session: Option<&'a SessionPart>,
    exchange: Option<ExchangeId>,
    client: Option<IpAddr>,
    fields: &'a [(&'static str, Value<'a>)],
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        class: Class,
        code: &'static str,
        fields: &'a [(&'static str, Value<'a>)],
    ) -> Self {
        Self {
            class,
            code,
            session: None,
            exchange: None,
            client: None,
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

    fn client(self, client: Option<IpAddr>) -> Self {
        Self { client, ..self }
    }
}

impl Encoder {
    #[allow(clippy::too_many_lines, reason = "one arm a kind of event: a table")]
    pub(super) fn event(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        let mut write = |draft: Draft<'_>| self.draft(out, &draft, at);
        match *event {
            Event::SessionStarted { session, client } => {
                write(
                    Draft::new(LOGON, "session.started", &[])
                        .session(session)
                        .client(client),
                );
            }
            Event::SessionEnded { session, cause, by } => write(
                Draft::new(
                    LOGOFF,
                    "session.ended",
                    &[("cause", Text(end_cause(cause))), ("by", Text(by))],
                )
                .session(session),
            ),
            Event::GrantIssued { grant, by } => {
                write(Draft::new(ASSIGN, "grant.issued", &[("by", Text(by))]).session(grant));
            }
            Event::GrantRevoked { grant, by } => {
                write(Draft::new(REVOKE, "grant.revoked", &[("by", Text(by))]).session(grant));
            }
            Event::PolicyLoaded { digest, rows } => write(Draft::new(
                UPDATE,
                "policy.loaded",
                &[("policy", Text(digest)), ("rows", Number(rows))],
            )),
            Event::PolicyRefused { digest, problem } => write(Draft::new(
                UPDATE_FAILED,
                "policy.refused",
                &[("policy", Text(digest)), ("problem", Text(problem))],
            )),
            Event::ConfigReloaded { digest } => {
                write(Draft::new(
                    UPDATE,
                    "config.reloaded",
                    &[("config", Text(digest))],
                ));
            }
            Event::ConfigRefused { problem } => {
                write(Draft::new(
                    UPDATE_FAILED,
                    "config.refused",
                    &[("problem", Text(problem))],
                ));
            }
            Event::Alert {
                kind,
                session,
                exchange,
                client,
                detail,
            } => write(
                Draft::new(
                    FINDING,
                    "alert",
                    &[("kind", Text(kind)), ("detail", Text(detail))],
                )
                .session(session)
                .exchange(exchange)
                .client(client),
            ),
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
                write(
                    Draft::new(API, "shadow.differs", &fields)
                        .session(session)
                        .exchange(exchange),
                );
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
                write(
                    Draft::new(API, "websocket.ended", &fields)
                        .session(session)
                        .exchange(exchange),
                );
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
                write(Draft::new(
                    if up { STATE } else { TROUBLE },
                    "sink.state",
                    &fields,
                ));
            }
            Event::ProcessStopped { cause } => {
                write(Draft::new(
                    STOP,
                    "process.stopped",
                    &[("cause", Text(cause))],
                ));
            }
        }
    }

    pub(super) fn draft(&self, out: &mut Vec<u8>, draft: &Draft<'_>, at: Timestamp) {
        let class = draft.class;
        out.extend_from_slice(b"{\"time\":");
        number(out, u64::try_from(at.millis()).unwrap_or(0));
        for (name, value) in [
            ("category_uid", u64::from(class.category)),
            ("class_uid", u64::from(class.class)),
            ("activity_id", u64::from(class.activity)),
            (
                "type_uid",
                u64::from(class.class) * 100 + u64::from(class.activity),
            ),
            ("severity_id", u64::from(class.severity)),
        ] {
            out.push(b',');
            key(out, name);
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
        self.class_members(out, draft);
        out.extend_from_slice(b"\"locum\":{");
        if let Some(session) = draft.session {
            out.extend_from_slice(session.full());
        }
        for (name, value) in draft.fields {
            key(out, name);
            match value {
                Text(text) => escape::string(out, text.as_bytes(), self.max_field),
                Number(n) => number(out, *n),
                Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            }
            out.push(b',');
        }
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b'}');
    }

    /// What the class wants besides the base event.
    fn class_members(&self, out: &mut Vec<u8>, draft: &Draft<'_>) {
        if let Some(session) = draft.session {
            out.extend_from_slice(session.actor());
        }
        match draft.class.class {
            // `user` is who signs in, or who gets the privileges: the operator, as in `actor`.
            3002 | 3003 => {
                let user = draft
                    .session
                    .and_then(|s| s.actor().strip_prefix(b"\"actor\":{"))
                    .and_then(|s| s.strip_suffix(b"},"));
                out.extend_from_slice(user.unwrap_or(b"\"user\":{\"type_id\":0}"));
                out.push(b',');
            }
            2004 => {
                out.extend_from_slice(b"\"finding_info\":{\"title\":");
                let title = draft.fields.iter().find_map(|(_, v)| match v {
                    Text(text) => Some(*text),
                    _ => None,
                });
                escape::string(out, title.unwrap_or(draft.code).as_bytes(), self.max_field);
                out.extend_from_slice(b",\"uid\":\"");
                event_uid(out);
                out.extend_from_slice(b"\"},");
            }
            6002 => {
                out.extend_from_slice(b"\"app\":{\"name\":\"Locum\",\"vendor_name\":\"Locum\"},")
            }
            _ => out.extend_from_slice(b"\"api\":{\"operation\":\"observe\"},"),
        }
        if let Some(client) = draft.client {
            out.extend_from_slice(b"\"src_endpoint\":{\"ip\":\"");
            ip(out, client);
            out.extend_from_slice(b"\"},");
        }
    }
}

/// 128 random bits: an id for what is no exchange.
fn event_uid(out: &mut Vec<u8>) {
    let mut bytes = [0u8; 16];
    // Ids are no secrets; the chain's sequence number is unique in any case.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    out.push(b'e');
    escape::lower_hex(out, &bytes);
}

const fn end_cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Operator => "operator",
        EndCause::Expired => "expired",
        EndCause::Revoked => "revoked",
        EndCause::BindingBroken => "binding-broken",
        EndCause::Idle => "idle",
    }
}
