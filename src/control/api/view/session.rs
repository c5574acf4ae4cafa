//! Sessions as people see them: no cookie, no code, no binding.

use super::happening::HappeningView;
use super::request::{Named, OperatorView};
use super::word::{EndCause, SessionState};
use crate::control::api::text::{Moment, SessionRef};
use crate::model::Ended;
use crate::store::Stored;
use crate::store::control::Noted;
use serde::Serialize;
use utoipa::ToSchema;

/// A session with the grant behind it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(in crate::control::api) struct SessionView {
    id: SessionRef,
    grant: String,
    /// The request that it came of; `null`: an administrator's tool or an outside issuer made it.
    request: Option<String>,
    state: SessionState,
    app: String,
    tenant: Named,
    subject: Named,
    operator: OperatorView,
    scopes: Vec<String>,
    ticket: Option<String>,
    reason: String,
    break_glass: bool,
    /// Who agreed.
    approvals: Vec<String>,
    issued_at: Moment,
    expires_at: Moment,
    started_at: Option<Moment>,
    last_used_at: Option<Moment>,
    ended: Option<EndedView>,
}

/// How a session ended.
#[derive(Serialize, ToSchema)]
#[schema(as = Ended)]
struct EndedView {
    cause: EndCause,
    at: Moment,
    by: String,
}

/// A session and what happened to it in the control plane, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionWithHistory)]
pub(in crate::control::api) struct SessionWithHistory {
    #[serde(flatten)]
    session: SessionView,
    history: Vec<HappeningView>,
}

/// Some sessions that are not over, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Sessions {
    pub items: Vec<SessionView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct EndedCount {
    pub ended: usize,
}

impl From<&Stored> for SessionView {
    fn from(it: &Stored) -> Self {
        let (grant, session) = (&it.grant, &it.session);
        let request = grant.issued_by.strip_prefix("request:");
        Self {
            id: SessionRef(session.id),
            grant: grant.id.to_string(),
            request: request.map(str::to_owned),
            state: SessionState(it.state().as_str()),
            app: grant.app.clone(),
            tenant: Named {
                id: grant.tenant.id.clone(),
                name: grant.tenant.name.clone(),
            },
            subject: Named {
                id: grant.subject.id.clone(),
                name: grant.subject.name.clone(),
            },
            operator: OperatorView::from(&grant.operator),
            scopes: grant.scopes.iter().map(ToString::to_string).collect(),
            ticket: Some(grant.ticket.clone()).filter(|it| !it.is_empty()),
            reason: grant.reason.clone(),
            break_glass: grant.break_glass,
            approvals: grant.approvals.clone(),
            issued_at: Moment(grant.issued_at),
            expires_at: Moment(grant.expires_at),
            started_at: session.started_at.map(Moment),
            last_used_at: it.last_used.map(Moment),
            ended: session.ended.as_ref().map(EndedView::from),
        }
    }
}

impl From<&Ended> for EndedView {
    fn from(it: &Ended) -> Self {
        Self {
            cause: EndCause(it.cause.as_str()),
            at: Moment(it.at),
            by: it.by.clone(),
        }
    }
}

impl SessionWithHistory {
    pub(in crate::control::api) fn of(stored: &Stored, history: &[Noted]) -> Self {
        Self {
            session: SessionView::from(stored),
            history: history.iter().map(HappeningView::from).collect(),
        }
    }
}
