//! After-action reviews of break-glass.

use super::word::ReviewState;
use crate::control::api::text::{Moment, ReviewRef, SessionRef};
use crate::model::{Review, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One review.
#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub(in crate::control::api) struct ReviewView {
    id: ReviewRef,
    grant: String,
    session: SessionRef,
    app: String,
    tenant: String,
    subject: String,
    incident: String,
    reason: String,
    /// Who broke the glass.
    operator: String,
    approvers: Vec<String>,
    opened_at: Moment,
    due_at: Moment,
    /// Whether it should have been written by now.
    overdue: bool,
    escalated_at: Option<Moment>,
    state: ReviewState,
    reviewer: Option<String>,
    reviewed_at: Option<Moment>,
    findings: Option<String>,
    follow_ups: Vec<String>,
    /// The `ETag`.
    version: i64,
}

/// Some reviews, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Reviews {
    pub items: Vec<ReviewView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

impl ReviewView {
    pub(in crate::control::api) fn of(it: &Review, now: Timestamp) -> Self {
        Self {
            id: ReviewRef(it.id),
            grant: it.grant.to_string(),
            session: SessionRef(it.session),
            app: it.app.clone(),
            tenant: it.tenant.clone(),
            subject: it.subject.clone(),
            incident: it.incident.clone(),
            reason: it.reason.clone(),
            operator: it.operator.clone(),
            approvers: it.approvers.clone(),
            opened_at: Moment(it.opened_at),
            due_at: Moment(it.due_at),
            overdue: it.bars() && now >= it.due_at,
            escalated_at: it.escalated_at.map(Moment),
            state: ReviewState(it.state.as_str()),
            reviewer: it.reviewer.clone(),
            reviewed_at: it.reviewed_at.map(Moment),
            findings: it.findings.clone(),
            follow_ups: it.follow_ups.clone(),
            version: it.version,
        }
    }
}
