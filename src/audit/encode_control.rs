//! Steps in the control plane as OCSF: authorize session (3003) for authority that is given, authentication (3002) for
//! sign-ins, findings (2004) for alerts, API activity (6003) for the rest.

use super::encode::{Encoder, OTHER, activity};
use super::encode_event::Value::Text;
use super::encode_event::{Class, Draft, class};
use crate::model::{Happened, Timestamp};

/// The class by the code; `method` is that of a call of the API.
fn class_of(happened: &Happened, method: &str) -> Class {
    let severity = happened.severity.clamp(1, 5);
    let (family, step) = happened
        .code
        .split_once('.')
        .unwrap_or((&happened.code, ""));
    let api = |activity| class(6003, activity, severity);
    match (family, step) {
        ("login", "out") => class(3002, 2, severity),
        ("login", _) => class(3002, 1, severity),
        ("session", "activated") | ("grant", _) => class(3003, 1, severity),
        ("alert", _) => class(2004, 1, severity.max(4)),
        ("request" | "break-glass", "created" | "opened") | ("vote", _) | ("lock", "set") => api(1),
        ("session", "end-asked" | "all-ended") | ("lock", "lifted") => api(4),
        ("request" | "break-glass" | "consent" | "review" | "session" | "lock", _) => api(3),
        ("api", "call") => api(activity(method)),
        _ => api(OTHER),
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
        let detail = |wanted: &str| {
            let found = happened.details.iter().find(|(name, _)| name == wanted);
            found.map_or("", |(_, value)| value.as_str())
        };
        let class = class_of(happened, detail("method"));
        let draft = Draft::new(class, &happened.code, &fields)
            .actor(&happened.actor)
            .privileges(detail("scopes"))
            .client(detail("address").parse().ok());
        self.draft(out, &draft, at);
    }
}
