//! What stays the same for a whole session or policy, encoded once and copied into each record.

use super::escape;
use super::told::Whose;
use crate::model::{Grant, GrantId, OperatorKind, Scope, Session, SessionId};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Who acts as whom, under which authority. Cheap to clone; make one when the session becomes live.
#[derive(Clone)]
pub struct SessionPart(Arc<Encoded>);

struct Encoded {
    session: Option<SessionId>,
    grant: GrantId,
    /// `"actor":{…},`
    actor: Vec<u8>,
    /// Members of `locum`, each with a comma after it: all that a reader needs to know of the authority.
    full: Vec<u8>,
    /// The same, only what identifies: for the records that follow an opening.
    brief: Vec<u8>,
    /// Where the list of scopes stands in `full`, brackets included.
    scopes: Range<usize>,
    /// Where the operator's id stands in `actor`, quotes included.
    operator: Range<usize>,
    /// `"service":{…},`: the app.
    service: Vec<u8>,
    /// The tenant, as a reader of the record finds it.
    tenant: Arc<str>,
}

impl SessionPart {
    /// Encodes the grant and the session. Texts longer than `max_field` bytes ([`super::Settings::max_field`]) are cut.
    pub fn new(grant: &Grant, session: &Session, max_field: usize) -> Self {
        Self::build(grant, Some(session), max_field)
    }

    /// For events of a grant that has no session yet.
    pub fn of_grant(grant: &Grant, max_field: usize) -> Self {
        Self::build(grant, None, max_field)
    }

    fn build(grant: &Grant, session: Option<&Session>, max: usize) -> Self {
        let mut brief = Vec::with_capacity(256);
        if let Some(session) = session {
            brief.extend_from_slice(b"\"session\":\"");
            session.id.write(&mut brief);
            brief.extend_from_slice(b"\",");
        }
        brief.extend_from_slice(b"\"grant\":\"");
        grant.id.write(&mut brief);
        brief.extend_from_slice(b"\",");
        person(
            &mut brief,
            "subject",
            &grant.subject.id,
            grant.subject.name.as_deref(),
            max,
        );
        brief.push(b',');
        person(
            &mut brief,
            "tenant",
            &grant.tenant.id,
            grant.tenant.name.as_deref(),
            max,
        );
        brief.push(b',');

        let mut full = brief.clone();
        member(&mut full, "ticket", &grant.ticket, max);
        member(&mut full, "reason", &grant.reason, max);
        let scopes = full.len() + "\"scopes\":".len();
        list(
            &mut full,
            "scopes",
            grant.scopes.iter().map(Scope::as_str),
            max,
        );
        let scopes = scopes..full.len() - 1;
        if !grant.approvals.is_empty() {
            list(
                &mut full,
                "approvals",
                grant.approvals.iter().map(String::as_str),
                max,
            );
        }
        full.extend_from_slice(if grant.break_glass {
            b"\"break_glass\":true,"
        } else {
            b"\"break_glass\":false,"
        });

        let (actor, operator) = actor(grant, max);
        let mut service = b"\"service\":{\"name\":".to_vec();
        escape::string(&mut service, grant.app.as_bytes(), max);
        service.extend_from_slice(b"},");
        Self(Arc::new(Encoded {
            session: session.map(|s| s.id),
            grant: grant.id,
            actor,
            full,
            brief,
            scopes,
            operator,
            service,
            tenant: read_back(&grant.tenant.id, max),
        }))
    }

    pub fn session(&self) -> Option<SessionId> {
        self.0.session
    }

    pub fn grant(&self) -> GrantId {
        self.0.grant
    }

    /// For records in which it names the session.
    pub(super) fn tenant(&self) -> &Arc<str> {
        &self.0.tenant
    }

    pub(super) fn actor(&self) -> &[u8] {
        &self.0.actor
    }

    pub(super) fn full(&self) -> &[u8] {
        &self.0.full
    }

    pub(super) fn brief(&self) -> &[u8] {
        &self.0.brief
    }

    /// The scopes as a JSON list.
    pub(super) fn scopes(&self) -> &[u8] {
        self.0.full.get(self.0.scopes.clone()).unwrap_or(b"[]")
    }

    /// The operator's id as a JSON text.
    pub(super) fn operator(&self) -> &[u8] {
        let operator = self.0.operator.clone();
        self.0.actor.get(operator).unwrap_or(b"\"\"")
    }

    /// `"service":{…},`: the app as OCSF has it.
    pub(super) fn service(&self) -> &[u8] {
        &self.0.service
    }
}

/// Whose the records of a session are, or those without one.
pub(super) fn whose(session: Option<&SessionPart>) -> Whose<'_> {
    session.map_or(Whose::Nobody, |session| Whose::Tenant(session.tenant()))
}

/// What a reader of the escaped and perhaps shortened text gets.
fn read_back(text: &str, max: usize) -> Arc<str> {
    let mut escaped = Vec::with_capacity(text.len() + 2);
    escape::string(&mut escaped, text.as_bytes(), max);
    let read: Result<String, _> = serde_json::from_slice(&escaped);
    read.unwrap_or_default().into()
}

impl fmt::Debug for SessionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPart")
            .field("session", &self.0.session)
            .field("grant", &self.0.grant)
            .finish_non_exhaustive()
    }
}

/// OCSF `actor.user`, and where the operator's id stands in it. Type 1 is a user, 4 a service.
/// <https://schema.ocsf.io/1.6.0/objects/user>
fn actor(grant: &Grant, max: usize) -> (Vec<u8>, Range<usize>) {
    let operator = &grant.operator;
    let mut out = b"\"actor\":{\"user\":{\"uid\":".to_vec();
    let start = out.len();
    escape::string(&mut out, operator.id.as_bytes(), max);
    let id = start..out.len();
    if let Some(name) = &operator.name {
        out.extend_from_slice(b",\"name\":");
        escape::string(&mut out, name.as_bytes(), max);
    }
    out.extend_from_slice(match operator.kind {
        OperatorKind::Human => b",\"type_id\":1}},",
        OperatorKind::Workload => b",\"type_id\":4}},",
    });
    (out, id)
}

fn person(out: &mut Vec<u8>, word: &str, id: &str, name: Option<&str>, max: usize) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\":{\"uid\":");
    escape::string(out, id.as_bytes(), max);
    if let Some(name) = name {
        out.extend_from_slice(b",\"name\":");
        escape::string(out, name.as_bytes(), max);
    }
    out.push(b'}');
}

fn member(out: &mut Vec<u8>, key: &str, value: &str, max: usize) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    escape::string(out, value.as_bytes(), max);
    out.push(b',');
}

/// The list as one bounded text per entry, and at most 64 entries.
fn list<'a>(out: &mut Vec<u8>, key: &str, values: impl Iterator<Item = &'a str>, max: usize) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":[");
    for (at, value) in values.take(64).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        escape::string(out, value.as_bytes(), max);
    }
    out.extend_from_slice(b"],");
}

/// The policy version that decides at present. Cheap to clone; make one at each load.
#[derive(Clone, Debug)]
pub struct PolicyPart(Arc<[u8]>);

impl PolicyPart {
    /// `digest`: hexadecimal SHA-256 of the policy's sources.
    pub fn new(digest: &str) -> Self {
        let mut out = Vec::new();
        member(&mut out, "policy", digest, 128);
        Self(out.into())
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }
}
