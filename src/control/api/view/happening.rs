//! What happened in the control plane.

use crate::control::api::text::Moment;
use crate::store::control::Noted;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A step that somebody, or time, took.
#[derive(Serialize, ToSchema)]
#[schema(as = Happening)]
pub(in crate::control::api) struct HappeningView {
    /// Its place in the order of all.
    sequence: i64,
    at: Option<Moment>,
    /// `request.created`, `vote.approve`, `control.refused`, …
    code: String,
    /// 1 informational … 5 critical.
    #[schema(minimum = 0, maximum = 5)]
    severity: u8,
    actor: String,
    app: Option<String>,
    tenant: Option<String>,
    operator: Option<String>,
    subject: Option<String>,
    ticket: Option<String>,
    request: Option<String>,
    grant: Option<String>,
    session: Option<String>,
    /// More, by name.
    details: BTreeMap<String, String>,
}

/// What happened lately, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Happenings {
    pub items: Vec<HappeningView>,
    /// Give it as `before` for the next page; `null`: that was all.
    pub next: Option<String>,
}

impl From<&Noted> for HappeningView {
    fn from(noted: &Noted) -> Self {
        let it = &noted.happened;
        Self {
            sequence: noted.sequence,
            at: it.at.map(Moment),
            code: it.code.clone(),
            severity: it.severity,
            actor: it.actor.clone(),
            app: it.app.clone(),
            tenant: it.tenant.clone(),
            operator: it.operator.clone(),
            subject: it.subject.clone(),
            ticket: it.ticket.clone(),
            request: it.request.clone(),
            grant: it.grant.clone(),
            session: it.session.clone(),
            details: it.details.iter().cloned().collect(),
        }
    }
}
