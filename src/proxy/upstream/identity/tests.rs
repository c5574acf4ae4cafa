//! What the app sees of identity: assertions verified by another library from the published keys, headers,
//! credentials, minted sessions on real sockets.

use super::*;
use crate::model::{GrantId, Operator, Subject, Tenant};

/// A grant like any other.
pub(super) fn grant() -> Grant {
    let now = Timestamp::now();
    Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ann@example.com".into(),
            name: Some("Ann".into()),
            kind: crate::model::OperatorKind::Human,
        },
        subject: Subject {
            id: "u-17".into(),
            name: None,
        },
        tenant: Tenant {
            id: "acme".into(),
            name: None,
        },
        scopes: vec![
            "orders".parse().expect("scope"),
            "view".parse().expect("scope"),
        ],
        ticket: "T-1".into(),
        reason: "a question".into(),
        approvals: Vec::new(),
        break_glass: false,
        not_before: now,
        expires_at: now.plus(Duration::from_secs(3600)),
        issued_at: now,
        issued_by: "cli:root".into(),
        external_id: None,
    }
}
