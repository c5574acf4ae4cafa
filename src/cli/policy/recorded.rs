//! Records of the journal as requests that a policy can decide again.

use crate::audit::index::Field;
use crate::audit::tail::Entry;
use crate::model::{Effect, Operator, OperatorKind, Scope, Subject, Tenant, Timestamp};
use crate::policy::replay::Recorded;
use serde_json::Value;

/// What a record is to a policy.
pub(super) enum Kind {
    /// A request that policy decided.
    Decided(Box<Recorded>),
    /// A request that was refused before policy saw it.
    NotByPolicy,
    /// No request's beginning.
    Other,
}

/// Reads one record.
pub(super) fn read(entry: &Entry) -> Kind {
    if !matches!(entry.event(), "exchange.opened" | "exchange.refused") {
        return Kind::Other;
    }
    match decided(entry) {
        Some(recorded) => Kind::Decided(Box::new(recorded)),
        None => Kind::NotByPolicy,
    }
}

fn decided(entry: &Entry) -> Option<Recorded> {
    let text = |path: &[&str]| entry.text(path);
    let owned = |path: &[&str]| text(path).unwrap_or_default().to_owned();
    let value = |field: Field| field.values(&entry.json).next();
    let effect = match text(&["locum", "decision"])? {
        "permit" => Effect::Permit,
        "deny" => Effect::Deny,
        _ => return None,
    };
    let user = ["actor", "user"];
    let kind = entry.value(&["actor", "user", "type_id"]);
    let name = |path: &[&str]| text(path).map(str::to_owned);
    let millis = entry.value(&["time"]).and_then(Value::as_i64)?;
    Some(Recorded {
        exchange: value(Field::Exchange)?.to_owned(),
        app: value(Field::App)?.to_owned(),
        method: value(Field::Method)?.to_owned(),
        path: owned(&["http_request", "url", "path"]),
        query: name(&["http_request", "url", "query_string"]),
        is_websocket: text(&["locum", "protocol"]) == Some("websocket"),
        scopes: texts(entry, "scopes")
            .iter()
            .filter_map(|it| it.parse::<Scope>().ok())
            .collect(),
        operator: Operator {
            id: owned(&[user[0], user[1], "uid"]),
            name: name(&[user[0], user[1], "name"]),
            // OCSF: 4 is a service.
            kind: if kind.and_then(Value::as_u64) == Some(4) {
                OperatorKind::Workload
            } else {
                OperatorKind::Human
            },
        },
        subject: Subject {
            id: owned(&["locum", "subject", "uid"]),
            name: None,
        },
        tenant: Tenant {
            id: owned(&["locum", "tenant", "uid"]),
            name: None,
        },
        ticket: owned(&["locum", "ticket"]),
        approvals: texts(entry, "approvals"),
        break_glass: entry.value(&["locum", "break_glass"]) == Some(&Value::Bool(true)),
        client: text(&["src_endpoint", "ip"]).and_then(|it| it.parse().ok()),
        at: Timestamp::from_millis(millis),
        policy: owned(&["locum", "policy"]),
        effect,
        rule: owned(&["locum", "rule"]),
    })
}

fn texts(entry: &Entry, member: &str) -> Vec<String> {
    let list = entry.value(&["locum", member]).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
