//! My sessions: what is open, how long yet, and the requests that are under way.

use super::answer::{Shown, go, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::{self, Here};
use super::parts::{Id, Left, Pill, When};
use super::words;
use crate::control::desk::Control;
use crate::control::lifecycle::Which;
use crate::control::refusal::Refusal;
use crate::model::{AccessRequest, RequestState, Role, Timestamp};
use crate::store::control::Query;
use crate::store::{State, Stored};
use askama::Template;

/// One of my sessions.
struct Mine {
    id: String,
    subject: String,
    tenant: String,
    app: String,
    ticket: String,
    able: String,
    emergency: bool,
    pill: Pill,
    since: Option<When>,
    left: Left,
    /// Where it is, once it was opened.
    open: Option<String>,
    /// The request that can give a fresh link, before it was opened.
    renew: Option<String>,
}

/// One of my requests that is under way.
struct Under {
    id: String,
    short: Id,
    what: String,
    pill: Pill,
    next: &'static str,
    tone: &'static str,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    sessions: Vec<Mine>,
    requests: Vec<Under>,
    may_ask: bool,
    has_role: bool,
}

#[derive(Template)]
#[template(path = "home_part.html")]
struct HomePart {
    csrf: String,
    sessions: Vec<Mine>,
}

pub(super) async fn mine(call: Call) -> Shown {
    let is_operator = call.is_any(nav::roles(Here::Sessions));
    if let (false, Some(first)) = (is_operator, nav::first(call.caller())) {
        return Ok(go(first));
    }
    let query = Query {
        states: vec!["queued", "pending", "approved"],
        limit: 50,
        ..Query::default()
    };
    let control = call.control();
    let sessions = own(&call).await?;
    let under_way = control.requests(call.caller(), Which::Own, query).await?;
    let page = Home {
        frame: call.frame("Sessions", Here::Sessions).await,
        sessions,
        requests: under_way.items.iter().map(under).collect(),
        may_ask: call.is_any(&[Role::Operator]),
        has_role: is_operator,
    };
    render(None, &page)
}

/// The sessions alone, for a page that stays open.
pub(super) async fn part(call: Call) -> Shown {
    let page = HomePart {
        csrf: call.visit.csrf.clone(),
        sessions: own(&call).await?,
    };
    render(None, &page)
}

async fn own(call: &Call) -> Result<Vec<Mine>, Refusal> {
    let control = call.control();
    let stored = control.sessions(call.caller(), Which::Own).await?;
    let now = control.now();
    let open = stored.iter().filter(|it| it.grant.expires_at > now);
    Ok(open.map(|it| session(control, it, now)).collect())
}

fn session(control: &Control, stored: &Stored, now: Timestamp) -> Mine {
    let grant = &stored.grant;
    let id = stored.session.id.to_string();
    let is_live = stored.state() == State::Live;
    let request = grant.issued_by.strip_prefix("request:");
    Mine {
        subject: grant.subject.id.clone(),
        tenant: grant.tenant_label().to_owned(),
        app: grant.app.clone(),
        ticket: grant.ticket.clone(),
        able: words::able_to(&grant.scopes, &control.routes.scopes(&grant.app)),
        emergency: grant.break_glass,
        pill: Pill::session(stored.state()),
        since: stored.session.started_at.map(When::at),
        left: Left::until(grant.expires_at, now),
        open: is_live.then(|| control.routes.origin(&id, &grant.app)),
        renew: request.filter(|_| !is_live).map(str::to_owned),
        id,
    }
}

fn under(request: &AccessRequest) -> Under {
    Under {
        id: request.id.to_string(),
        short: Id::of(request.id),
        what: format!(
            "{} in {} · {}",
            request.subject.id,
            words::tenant(request),
            words::span(request.duration)
        ),
        pill: Pill::request(request),
        next: match request.state {
            RequestState::Approved => "Activate it",
            _ => "See who answers",
        },
        tone: match request.state {
            RequestState::Approved => "",
            _ => "quiet",
        },
    }
}
