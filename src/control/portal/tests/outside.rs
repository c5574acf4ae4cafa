//! What the control plane of these tests leans on, answering well, and its settings.

use super::stage::MINUTE;
use crate::control::desk::{
    Alarm, Answer, Bounds, EmergencySettings, Routes, ScopeChoice, Settings, Subjects,
    TenantSettings, Ticket, TicketRefused, Tickets,
};
use crate::control::duties::StepUp;
use crate::model::{Alert, SubjectClass, Tier};
use crate::policy::access::AccessPolicy;
use std::time::Duration;

/// Everything outside that the control plane leans on, answering well.
pub(super) struct Outside;

impl Tickets for Outside {
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        tenant: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>> {
        let found = match (ticket, tenant) {
            ("SUP-9999", _) => Err(TicketRefused::Closed),
            (id, _) => Ok(Ticket {
                id: id.to_owned(),
                title: Some("Invoice missing".to_owned()),
            }),
        };
        Box::pin(async { found })
    }
}

impl Subjects for Outside {
    fn class<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<SubjectClass, String>> {
        Box::pin(async { Ok(SubjectClass::Ordinary) })
    }
}

impl Alarm for Outside {
    fn raise<'a>(&'a self, _: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(vec!["soc".to_owned()]) })
    }
}

impl Routes for Outside {
    fn apps(&self) -> Vec<String> {
        vec!["shop".to_owned()]
    }

    fn scopes(&self, _: &str) -> Vec<ScopeChoice> {
        let scope = |name: &str, sentence: &str, tier| ScopeChoice {
            name: name.parse().expect("a scope"),
            sentence: sentence.to_owned(),
            tier,
        };
        vec![
            scope("view", "See orders and invoices", Tier::Ordinary),
            scope("orders", "Change a delivery address", Tier::Sensitive),
            scope("export", "Export all orders", Tier::Privileged),
        ]
    }

    fn origin(&self, session: &str, app: &str) -> String {
        format!("https://{session}.{app}.locum.example")
    }
}

pub(super) fn settings() -> Settings {
    let tenant = |name: &str| TenantSettings {
        name: Some(name.to_owned()),
        ..TenantSettings::default()
    };
    Settings {
        access: AccessPolicy::default(),
        tenants: [
            ("acme".to_owned(), tenant("Acme")),
            ("globex".to_owned(), tenant("Globex")),
        ]
        .into(),
        reason_codes: vec!["customer-request".to_owned(), "outage".to_owned()],
        max_time: 60 * MINUTE,
        default_time: 15 * MINUTE,
        request_ttl: 60 * MINUTE,
        vote_ttl: 30 * MINUTE,
        code_ttl: MINUTE,
        max_sessions: 3,
        max_open_requests: 5,
        max_text: 500,
        max_scopes: 8,
        step_up: StepUp {
            max_age: 5 * MINUTE,
            acr_values: vec!["strong".to_owned()],
        },
        ticket_required: true,
        queue_unchecked: false,
        emergency: EmergencySettings {
            enabled: true,
            incident_prefixes: vec!["INC-".to_owned()],
            reason_codes: vec!["outage".to_owned()],
            max_time: 15 * MINUTE,
            scopes: vec!["view".parse().expect("a scope")],
            review_within: 24 * 60 * MINUTE,
            max_unreviewed: 10,
            open_unalerted: false,
            alert_timeout: Duration::from_secs(1),
        },
        zone_minutes: 0,
        portal: "https://portal.locum.example".to_owned(),
        courier: None,
        bounds: Bounds::default(),
    }
}
