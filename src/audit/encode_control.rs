//! Steps in the control plane as OCSF: user access management (3003) for authority, authentication (3002) for sign-ins,
//! findings (2004) for alerts, API activity (6003) for the rest.

use super::encode::Encoder;
use super::encode_event::Value::Text;
use super::encode_event::{Class, Draft, class};
use crate::model::{Happened, Timestamp};

/// The class by the first word of the code.
fn class_of(happened: &Happened) -> Class {
    let severity = happened.severity.clamp(1, 5);
    let (family, step) = happened
        .code
        .split_once('.')
        .unwrap_or((&happened.code, ""));
    match (family, step) {
        ("login", "out") => class(3002, 2, severity),
        ("login", _) => class(3002, 1, severity),
        ("session", "activated") | ("grant", _) => class(3003, 1, severity),
        ("lock" | "session", _) => class(3003, 2, severity),
        ("request" | "vote" | "consent" | "review" | "break-glass", _) => class(3003, 99, severity),
        ("alert", _) => class(2004, 1, severity.max(4)),
        _ => class(6003, 99, severity),
    }
}

impl Encoder {
    pub(super) fn control(&self, out: &mut Vec<u8>, happened: &Happened, at: Timestamp) {
        let mut fields = vec![("by", Text(&happened.actor))];
        for (name, value) in [
            ("account", &happened.account),
            ("app", &happened.app),
            ("tenant_id", &happened.tenant),
            ("operator", &happened.operator),
            ("subject_id", &happened.subject),
            ("ticket", &happened.ticket),
            ("request", &happened.request),
            ("grant", &happened.grant),
            ("session", &happened.session),
        ] {
            if let Some(value) = value {
                fields.push((name, Text(value)));
            }
        }
        for (name, value) in &happened.details {
            fields.push((name, Text(value)));
        }
        let draft = Draft::new(class_of(happened), &happened.code, &fields);
        self.draft(out, &draft.actor(&happened.actor), at);
    }
}
