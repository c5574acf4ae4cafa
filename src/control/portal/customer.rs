//! For the customer's own auditor: who of support was in our accounts, when, why, who agreed; and the end of it.

use super::answer::{Shown, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Left, Pill, When};
use super::words;
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::lifecycle::Which;
use crate::control::refusal::Refusal;
use crate::model::{AccessRequest, Caller, RequestState, Role, SessionId, Timestamp};
use crate::store::control::Query;
use crate::store::{State, Stored};
use askama::Template;
use std::time::Duration;

/// Uses shown; the count is of all.
const SHOWN: usize = 50;
/// "This month".
const LATELY: Duration = Duration::from_secs(30 * 86_400);

/// One time that support was in an account.
struct Visit {
    session: String,
    who: String,
    subject: String,
    app: String,
    why: String,
    ticket: String,
    able: String,
    agreed: String,
    at: When,
    ended: Option<String>,
    left: Option<Left>,
    pill: Pill,
    emergency: bool,
    may_end: bool,
}

/// A request that is not used yet.
struct Asked {
    id: String,
    question: String,
    pill: Pill,
}

#[derive(Template)]
#[template(path = "customer.html")]
struct Page {
    frame: Frame,
    head: String,
    visits: Vec<Visit>,
    asked: Vec<Asked>,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Customer)?;
    let control = call.control();
    let requests = ours(&call, vec!["activated"], 200).await?;
    let since = control.now().millis() - i64::try_from(LATELY.as_millis()).unwrap_or(0);
    let opened = opened(control, &requests).await?;
    let lately = opened.iter().filter(|at| at.millis() >= since).count();
    let mut visits = Vec::new();
    for request in requests.iter().take(SHOWN) {
        visits.extend(visit(control, call.caller(), request).await?);
    }
    let open = ours(&call, vec!["pending", "approved"], 50).await?;
    let page = Page {
        frame: call.frame("Support in our accounts", Here::Customer).await,
        head: match lately {
            0 => "Support was in none of your accounts in the last 30 days".to_owned(),
            1 => "Support was in your accounts once in the last 30 days".to_owned(),
            n => format!("Support was in your accounts {n} times in the last 30 days"),
        },
        visits,
        asked: open.iter().map(|it| asked(control, it)).collect(),
    };
    render(None, &page)
}

/// Requests of the tenants that this auditor is for, and of no other that another role of theirs may reach.
async fn ours(
    call: &Call,
    states: Vec<&'static str>,
    limit: usize,
) -> Result<Vec<AccessRequest>, Refusal> {
    let query = Query {
        states,
        limit,
        ..Query::default()
    };
    let caller = call.caller();
    let page = call
        .control()
        .requests(caller, Which::Reached, query)
        .await?;
    let ours = page.items.into_iter();
    Ok(ours
        .filter(|it| caller.may(Role::TenantAuditor, &it.tenant.id, &it.app))
        .collect())
}

/// When the sessions of these requests were opened: one that never was is no visit.
async fn opened(control: &Control, requests: &[AccessRequest]) -> Result<Vec<Timestamp>, Refusal> {
    let ids: Vec<SessionId> = requests.iter().filter_map(|it| it.session).collect();
    control
        .run("reading sessions", move |tx| {
            let mut opened = Vec::new();
            for id in ids {
                let stored = tx.session(id)?;
                opened.extend(stored.and_then(|it| it.session.started_at));
            }
            Ok(opened)
        })
        .await
}

async fn visit(
    control: &Control,
    caller: &Caller,
    request: &AccessRequest,
) -> Result<Option<Visit>, Refusal> {
    let Some(id) = request.session else {
        return Ok(None);
    };
    let (stored, _) = control.session(caller, id).await?;
    let now = control.now();
    let grant = &stored.grant;
    let is_open = stored.state() != State::Ended && grant.expires_at > now;
    let known = control.routes.scopes(&request.app);
    Ok(Some(Visit {
        session: id.to_string(),
        who: grant.operator_label().to_owned(),
        subject: grant.subject.id.clone(),
        app: grant.app.clone(),
        why: request.reason.clone(),
        ticket: grant.ticket.clone(),
        able: words::able_to(&grant.scopes, &known),
        agreed: match grant.approvals.as_slice() {
            [] => "nobody was asked beforehand".to_owned(),
            people => format!("{} agreed", words::list(people)),
        },
        at: When::at(stored.session.started_at.unwrap_or(grant.issued_at)),
        ended: ended(&stored),
        left: is_open.then(|| Left::until(grant.expires_at, now)),
        pill: match (is_open, stored.session.started_at) {
            (true, _) => Pill::session(stored.state()),
            (false, Some(_)) => Pill::session(State::Ended),
            (false, None) => Pill::new("", "Never opened"),
        },
        emergency: grant.break_glass,
        may_end: is_open && duties::may_end(caller, grant).is_ok(),
    }))
}

fn ended(stored: &Stored) -> Option<String> {
    let ended = stored.session.ended.as_ref()?;
    Some(format!(
        "{} on {}",
        ended.cause.told(),
        ended.at.to_minute()
    ))
}

fn asked(control: &Control, request: &AccessRequest) -> Asked {
    Asked {
        id: request.id.to_string(),
        question: words::question(request, &control.routes.scopes(&request.app)),
        pill: match (request.state, request.needs.consent, request.consented) {
            (RequestState::Pending, true, None) => Pill::new("warn", "Waits for your consent"),
            _ => Pill::request(request),
        },
    }
}
