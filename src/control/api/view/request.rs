//! Requests for access and the votes on them.

use super::word::{Kind, RequestState, SubjectClass, Tier, Verdict};
use crate::control::api::text::{Digest, Moment, RequestRef, SessionRef};
use crate::control::lifecycle::ConsentLink;
use crate::control::lifecycle::{Activated, Considered, Seen};
use crate::model::{AccessRequest, Needs, Operator, Timestamp, Vote};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A customer, or somebody, by id and name.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Named {
    pub id: String,
    pub name: Option<String>,
}

/// Who acts.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub(in crate::control::api) struct OperatorView {
    id: String,
    name: Option<String>,
    kind: Kind,
}

/// What policy demands.
#[derive(Serialize, ToSchema)]
#[schema(as = Needs)]
pub(in crate::control::api) struct NeedsView {
    /// Different people who must agree.
    approvals: u8,
    /// The customer must consent.
    consent: bool,
    /// The longest that policy allows here; 0: no own bound.
    max_minutes: u64,
    /// The policies that said so.
    rules: Vec<String>,
}

/// A request for access.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessRequest)]
pub(in crate::control::api) struct RequestView {
    id: RequestRef,
    app: String,
    tenant: Named,
    subject: Named,
    class: SubjectClass,
    scopes: Vec<String>,
    tier: Tier,
    minutes: u64,
    ticket: Option<String>,
    ticket_title: Option<String>,
    reason_code: String,
    reason: String,
    /// The incident, where this is break-glass.
    incident: Option<String>,
    /// The refused exchange that this asks elevation for.
    elevates: Option<String>,
    operator: OperatorView,
    created_at: Moment,
    /// Unfinished by then: expired.
    expires_at: Moment,
    needs: NeedsView,
    state: RequestState,
    consented_at: Option<Moment>,
    closed_by: Option<String>,
    closed_reason: Option<String>,
    grant: Option<String>,
    session: Option<SessionRef>,
    /// Of all that people agree to. A vote names it.
    digest: Digest,
    /// The `ETag`.
    version: i64,
}

/// A request for access with the votes on it.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessRequestWithVotes)]
pub(in crate::control::api) struct RequestWithVotes {
    #[serde(flatten)]
    request: RequestView,
    votes: Vec<VoteView>,
}

/// One person's answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Vote)]
pub(in crate::control::api) struct VoteView {
    person: String,
    name: Option<String>,
    verdict: Verdict,
    reason: Option<String>,
    at: Moment,
    expires_at: Moment,
    /// Whether it speaks for the request as it stands now.
    counts: bool,
}

/// Some requests, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Requests {
    pub items: Vec<RequestView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

/// What would become of a request.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Preview {
    class: SubjectClass,
    tier: Tier,
    scopes: Vec<String>,
    minutes: u64,
    ticket: Option<TicketView>,
    /// The ticket system cannot be asked now; the request would wait for it.
    waits_for_ticket: bool,
    needs: NeedsView,
}

/// A ticket as its system tells of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Ticket)]
struct TicketView {
    id: String,
    title: Option<String>,
}

/// A session that waits for its operator's browser.
#[derive(Serialize, ToSchema)]
#[schema(as = Activated)]
pub(in crate::control::api) struct ActivatedView {
    request: RequestRef,
    grant: String,
    session: SessionRef,
    /// Open it in a browser; good once, and briefly.
    #[schema(format = "uri")]
    start_url: String,
    /// When the link dies.
    start_by: Moment,
    /// When the grant ends.
    expires_at: Moment,
}

/// Where the link went by which the customer is asked.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsentLink)]
pub(in crate::control::api) struct ConsentLinkView {
    /// Send it to the customer's administrator. It cannot be shown again. `null`: it was mailed to their contact, and is for
    /// nobody else to see.
    #[schema(format = "uri")]
    url: Option<String>,
    /// The customer's contact, who has it.
    mailed_to: Option<String>,
}

impl From<ConsentLink> for ConsentLinkView {
    fn from(made: ConsentLink) -> Self {
        let (url, mailed_to) = match made {
            ConsentLink::Shown(url) => (Some(url), None),
            ConsentLink::Mailed(to) => (None, Some(to)),
        };
        Self { url, mailed_to }
    }
}

fn minutes(span: Duration) -> u64 {
    span.as_secs().div_ceil(60)
}

impl From<&Operator> for OperatorView {
    fn from(it: &Operator) -> Self {
        Self {
            id: it.id.clone(),
            name: it.name.clone(),
            kind: Kind::of(it.kind),
        }
    }
}

impl From<&Needs> for NeedsView {
    fn from(it: &Needs) -> Self {
        Self {
            approvals: it.approvals,
            consent: it.consent,
            max_minutes: it.max_time.as_secs() / 60,
            rules: it.rules.clone(),
        }
    }
}

impl From<&AccessRequest> for RequestView {
    fn from(it: &AccessRequest) -> Self {
        Self {
            id: RequestRef(it.id),
            app: it.app.clone(),
            tenant: Named {
                id: it.tenant.id.clone(),
                name: it.tenant.name.clone(),
            },
            subject: Named {
                id: it.subject.id.clone(),
                name: it.subject.name.clone(),
            },
            class: SubjectClass(it.class.as_str()),
            scopes: it.scopes.iter().map(ToString::to_string).collect(),
            tier: Tier(it.tier.as_str()),
            minutes: minutes(it.duration),
            ticket: Some(it.ticket.clone()).filter(|it| !it.is_empty()),
            ticket_title: it.ticket_title.clone(),
            reason_code: it.reason_code.clone(),
            reason: it.reason.clone(),
            incident: it.emergency.as_ref().map(|it| it.incident.clone()),
            elevates: it.elevates.clone(),
            operator: OperatorView::from(&it.operator),
            created_at: Moment(it.created_at),
            expires_at: Moment(it.expires_at),
            needs: NeedsView::from(&it.needs),
            state: RequestState(it.state.as_str()),
            consented_at: it.consented.map(Moment),
            closed_by: it.closed_by.clone(),
            closed_reason: it.closed_why.clone(),
            grant: it.grant.map(|id| id.to_string()),
            session: it.session.map(SessionRef),
            digest: Digest(it.digest()),
            version: it.version,
        }
    }
}

impl RequestWithVotes {
    pub(in crate::control::api) fn of(seen: &Seen, now: Timestamp) -> Self {
        let request = RequestView::from(&seen.request);
        let digest = &request.digest.0;
        let votes = seen
            .votes
            .iter()
            .map(|it| VoteView::of(it, digest, now))
            .collect();
        Self { request, votes }
    }
}

impl VoteView {
    fn of(it: &Vote, digest: &str, now: Timestamp) -> Self {
        Self {
            person: it.person.clone(),
            name: it.name.clone(),
            verdict: Verdict(it.verdict.as_str()),
            reason: it.reason.clone(),
            at: Moment(it.at),
            expires_at: Moment(it.expires_at),
            counts: it.counts(digest, now),
        }
    }
}

impl From<&Considered> for Preview {
    fn from(it: &Considered) -> Self {
        Self {
            class: SubjectClass(it.class.as_str()),
            tier: Tier(it.tier.as_str()),
            scopes: it.scopes.iter().map(ToString::to_string).collect(),
            minutes: minutes(it.duration),
            ticket: it.ticket.as_ref().map(|it| TicketView {
                id: it.id.clone(),
                title: it.title.clone(),
            }),
            waits_for_ticket: it.waits_for_ticket,
            needs: NeedsView::from(&it.needs),
        }
    }
}

impl From<&Activated> for ActivatedView {
    fn from(it: &Activated) -> Self {
        Self {
            request: RequestRef(it.request.id),
            grant: it.grant.id.to_string(),
            session: SessionRef(it.session),
            start_url: it.start_url.clone(),
            start_by: Moment(it.code_expires),
            expires_at: Moment(it.grant.expires_at),
        }
    }
}
