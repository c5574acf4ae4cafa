//! Requests: the list, one request with its votes, and what its operator does with it.

use super::answer::{Shown, back_to, render, sign_in_link};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Id, Left, Pill, When};
use super::words;
use crate::control::duties;
use crate::control::lifecycle::ConsentLink;
use crate::control::lifecycle::{Activated, At, Seen, Which};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{AccessRequest, Binding, RequestId, RequestState, Role, Verdict, Vote};
use crate::store::control::Query;
use askama::Template;

struct Row {
    id: String,
    at: When,
    who: String,
    subject: String,
    tenant: String,
    ticket: String,
    able: String,
    emergency: bool,
    pill: Pill,
}

#[derive(Template)]
#[template(path = "requests.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    may_ask: bool,
    /// Whether there is more to see than one's own.
    has_others: bool,
    all: bool,
    next: Option<String>,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Requests)?;
    let has_others = call.is_any(&[Role::Approver, Role::Security, Role::Auditor, Role::Admin]);
    let may_ask = call.is_any(&[Role::Operator]);
    let all = has_others && (call.query.get("of") == "all" || !may_ask);
    let query = Query {
        after: call.query.given("after").map(str::to_owned),
        limit: call.control().settings.load().bounds.request_rows,
        ..Query::default()
    };
    let which = if all { Which::Reached } else { Which::Own };
    let page = call.control().requests(call.caller(), which, query).await?;
    let rows = page.items.iter().map(|it| row(&call, it)).collect();
    let page = List {
        frame: call.frame("Requests", Here::Requests).await,
        rows,
        may_ask,
        has_others: has_others && may_ask,
        all,
        next: page.next,
    };
    render(None, &page)
}

fn row(call: &Call, request: &AccessRequest) -> Row {
    let known = call.control().routes.scopes(&request.app);
    Row {
        id: request.id.to_string(),
        at: When::at(request.created_at),
        who: words::operator(request).to_owned(),
        subject: request.subject.id.clone(),
        tenant: words::tenant(request).to_owned(),
        ticket: request.ticket.clone(),
        able: words::able_to(&request.scopes, &known),
        emergency: request.emergency.is_some(),
        pill: Pill::request(request),
    }
}

/// A vote, as people read it.
pub(super) struct Voted {
    pub(super) who: String,
    pub(super) pill: Pill,
    pub(super) reason: Option<String>,
    pub(super) at: When,
    /// Why it does not count any more, if so.
    pub(super) void: Option<&'static str>,
}

pub(super) fn voted(vote: &Vote, request: &AccessRequest, now: crate::model::Timestamp) -> Voted {
    let is_of_another = vote.digest != request.digest();
    let is_over = request.state.is_open() && now >= vote.expires_at;
    Voted {
        who: vote.name.clone().unwrap_or_else(|| vote.person.clone()),
        pill: match vote.verdict {
            Verdict::Approve => Pill::new("good", "Approved"),
            Verdict::Deny => Pill::new("bad", "Denied"),
        },
        reason: vote.reason.clone().filter(|text| !text.is_empty()),
        at: When::at(vote.at),
        void: match (is_of_another, is_over) {
            (true, _) => Some("void: the request has changed since"),
            (false, true) => Some("no longer counts: votes expire"),
            _ => None,
        },
    }
}

/// What a request asks, in rows of words.
pub(super) struct Facts {
    pub(super) id: Id,
    pub(super) who: String,
    pub(super) person: String,
    pub(super) subject: String,
    pub(super) subject_name: Option<String>,
    pub(super) class: &'static str,
    pub(super) tenant: String,
    pub(super) app: String,
    pub(super) able: Vec<String>,
    pub(super) span: String,
    pub(super) ticket: String,
    pub(super) ticket_title: Option<String>,
    pub(super) incident: Option<String>,
    pub(super) reason_code: String,
    pub(super) reason: String,
    pub(super) at: When,
    pub(super) rules: String,
}

pub(super) fn facts(call: &Call, request: &AccessRequest) -> Facts {
    let known = call.control().routes.scopes(&request.app);
    Facts {
        id: Id::of(request.id),
        who: words::operator(request).to_owned(),
        person: request.operator.id.clone(),
        subject: request.subject.id.clone(),
        subject_name: request.subject.name.clone(),
        class: request.class.as_str(),
        tenant: words::tenant(request).to_owned(),
        app: request.app.clone(),
        able: words::sentences(&request.scopes, &known),
        span: words::span(request.duration),
        ticket: request.ticket.clone(),
        ticket_title: request.ticket_title.clone(),
        incident: request.emergency.as_ref().map(|it| it.incident.clone()),
        reason_code: words::reason_code(&request.reason_code),
        reason: request.reason.clone(),
        at: When::at(request.created_at),
        rules: request.needs.rules.join(", "),
    }
}

/// What comes next, and what this person may do about it.
struct Next {
    head: String,
    detail: String,
    ways: Vec<Way>,
}

/// One thing to do: a link, or a form's button.
struct Way {
    href: String,
    words: &'static str,
    tone: &'static str,
    posts: bool,
    /// What the form carries besides its proof.
    fields: Vec<(&'static str, String)>,
}

impl Way {
    fn link(href: String, words: &'static str, tone: &'static str) -> Self {
        Self {
            href,
            words,
            tone,
            posts: false,
            fields: Vec::new(),
        }
    }

    fn form(href: String, words: &'static str, tone: &'static str) -> Self {
        Self {
            posts: true,
            ..Self::link(href, words, tone)
        }
    }
}

#[derive(Template)]
#[template(path = "request.html")]
struct One {
    frame: Frame,
    pill: Pill,
    facts: Facts,
    votes: Vec<Voted>,
    needed: u8,
    next: Next,
    /// The next step breaks the glass.
    is_grave: bool,
    left: Option<Left>,
    consent_link: Option<String>,
}

pub(super) async fn one(call: Call) -> Shown {
    let id = call.id()?;
    show(&call, id, None, None).await
}

async fn show(
    call: &Call,
    id: RequestId,
    trouble: Option<&Refusal>,
    consent_link: Option<String>,
) -> Shown {
    let seen = call.control().request(call.caller(), id).await?;
    let request = &seen.request;
    let now = call.control().now();
    let mut frame = call.frame("Request", Here::Requests).await;
    frame.trouble(trouble, &requests_path(id));
    let is_open = request.state.is_open();
    let page = One {
        frame,
        pill: Pill::request(request),
        facts: facts(call, request),
        votes: seen
            .votes
            .iter()
            .map(|it| voted(it, request, now))
            .collect(),
        needed: request.needs.approvals,
        next: next(call, &seen),
        is_grave: request.emergency.is_some() && request.state == RequestState::Approved,
        left: is_open.then(|| Left::until(request.expires_at, now)),
        consent_link,
    };
    render(trouble, &page)
}

fn next(call: &Call, seen: &Seen) -> Next {
    let (caller, request) = (call.caller(), &seen.request);
    let own = duties::same(&caller.person, &request.operator.id);
    let agreed = duties::agreed(request, &seen.votes, call.control().now()).len();
    let (head, detail) = told(request, agreed, own);
    Next {
        head,
        detail,
        ways: ways(call, seen, own),
    }
}

fn ways(call: &Call, seen: &Seen, own: bool) -> Vec<Way> {
    let (control, caller, request) = (call.control(), call.caller(), &seen.request);
    let (now, state) = (control.now(), request.state);
    let settings = control.settings.load();
    let path = requests_path(request.id);
    let mut ways = Vec::new();
    if own && state == RequestState::Approved {
        ways.push(match duties::is_fresh(caller, &settings.step_up, now) {
            Err(_) => Way::link(sign_in_link(&path, true), "Sign in again to activate", ""),
            Ok(()) if request.emergency.is_some() => {
                Way::form(format!("{path}/activate"), "Break the glass", "bad")
            }
            Ok(()) => Way::form(format!("{path}/activate"), "Activate", ""),
        });
    }
    if own && state == RequestState::Activated {
        let words = "Get a fresh start link";
        ways.push(Way::form(format!("{path}/start-link"), words, "quiet"));
    }
    if let Some(session) = request.session {
        let href = format!("/sessions/{session}");
        ways.push(Way::link(href, "See the session", "quiet"));
    }
    let vote = duties::may_vote(caller, request, &seen.votes, Verdict::Approve, None, now);
    if vote.is_ok() {
        let href = format!("/approvals/{}", request.id);
        ways.push(Way::link(href, "Answer it", ""));
    }
    let waits = request.needs.consent && request.consented.is_none();
    let may_ask = duties::may_ask_the_customer(caller, request).is_ok();
    if waits && may_ask && state == RequestState::Pending {
        let words = match settings
            .tenants
            .get(&request.tenant.id)
            .and_then(|it| it.contact.as_ref())
        {
            Some(_) => "Ask the customer by mail",
            None => "Make the consent link",
        };
        ways.push(Way::form(format!("{path}/consent-link"), words, "quiet"));
    }
    if waits
        && state == RequestState::Pending
        && duties::may_consent(caller, request, &seen.votes).is_ok()
    {
        for (answer, words, tone) in [
            ("agree", "Agree", ""),
            ("refuse", "Do not agree", "quiet bad"),
        ] {
            let mut way = Way::form(format!("{path}/consent"), words, tone);
            way.fields.push(("answer", answer.to_owned()));
            way.fields.push(("version", request.version.to_string()));
            ways.push(way);
        }
    }
    let is_security = caller.may(Role::Security, &request.tenant.id, &request.app);
    if (own || is_security) && state.is_open() {
        let words = "Cancel the request";
        ways.push(Way::form(format!("{path}/cancel"), words, "quiet bad"));
    }
    ways
}

/// Where the request is, in a heading and a sentence.
fn told(request: &AccessRequest, agreed: usize, own: bool) -> (String, String) {
    let closed_by = request.closed_by.as_deref().unwrap_or("Locum");
    let why = request.closed_why.as_deref().unwrap_or_default();
    let needed = usize::from(request.needs.approvals);
    let (head, detail) = match request.state {
        RequestState::Queued => (
            "The ticket system does not answer".to_owned(),
            "The request waits. It goes to the approvers as soon as the ticket can be checked.".to_owned(),
        ),
        RequestState::Pending if agreed < needed => (
            format!("{agreed} of {needed} agreed"),
            "Approvers see this now. Nothing opens before they agree.".to_owned(),
        ),
        RequestState::Pending => (
            "The customer must consent".to_owned(),
            "Nobody else needs to agree any more. An approver has the consent link sent to the customer’s administrator.".to_owned(),
        ),
        RequestState::Approved if own => (
            "Approved: you may begin".to_owned(),
            "The clock starts when you activate it. It cannot be extended: more time is a new request.".to_owned(),
        ),
        RequestState::Approved => (
            "Approved".to_owned(),
            "Only the person who asked can activate it.".to_owned(),
        ),
        RequestState::Denied => (format!("Denied by {closed_by}"), why.to_owned()),
        RequestState::Cancelled => (format!("Cancelled by {closed_by}"), String::new()),
        RequestState::Expired => (
            "Expired".to_owned(),
            "Nobody finished it in time. If it is still needed, ask again.".to_owned(),
        ),
        RequestState::Activated => (
            "Used".to_owned(),
            "A session came of this request. A grant is used once: more time is a new request.".to_owned(),
        ),
    };
    (head, detail)
}

pub(super) async fn cancel(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    match call.control().cancel(call.caller(), id).await {
        Ok(_) => Ok(back_to(&requests_path(id), "cancelled")),
        Err(refusal) => show(&call, id, Some(&refusal), None).await,
    }
}

/// The customer's own auditor answers, signed in; for the request as they saw it.
pub(super) async fn consent(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    let at = At {
        id,
        version: call.form.get("version").parse().ok(),
    };
    let agrees = match call.form.get("answer") {
        "agree" => true,
        "refuse" => false,
        _ => {
            let refusal = Refusal::new(Kind::Invalid, "consent.answer", "Answer yes or no.");
            return show(&call, id, Some(&refusal), None).await;
        }
    };
    match call.control().consent_as(call.caller(), at, agrees).await {
        Ok(_) => {
            let word = if agrees { "consented" } else { "declined" };
            Ok(back_to(&requests_path(id), word))
        }
        Err(refusal) => show(&call, id, Some(&refusal), None).await,
    }
}

/// The customer's link is mailed to their contact; without one it is shown once, to whoever made it: only its hash is kept.
pub(super) async fn consent_link(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    match call.control().consent_link(call.caller(), id).await {
        Ok(ConsentLink::Shown(link)) => show(&call, id, None, Some(link)).await,
        Ok(ConsentLink::Mailed(_)) => Ok(back_to(&requests_path(id), "consent-mailed")),
        Err(refusal) => show(&call, id, Some(&refusal), None).await,
    }
}

#[derive(Template)]
#[template(path = "started.html")]
struct Started {
    frame: Frame,
    request: String,
    session: String,
    start_url: String,
    until: Left,
    subject: String,
    tenant: String,
    span: Left,
    emergency: bool,
}

pub(super) async fn activate(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    let done = call
        .control()
        .activate(call.caller(), id, Binding::default())
        .await;
    started(&call, id, done).await
}

pub(super) async fn start_link(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    let done = call.control().start_again(call.caller(), id).await;
    started(&call, id, done).await
}

/// The link holds a secret that is good once: it is in this one page, and in no address or redirect.
async fn started(call: &Call, id: RequestId, done: Result<Activated, Refusal>) -> Shown {
    let activated = match done {
        Ok(activated) => activated,
        Err(refusal) => return show(call, id, Some(&refusal), None).await,
    };
    let now = call.control().now();
    let grant = &activated.grant;
    let page = Started {
        frame: call.frame("Your session is ready", Here::Sessions).await,
        request: id.to_string(),
        session: activated.session.to_string(),
        until: Left::until(activated.code_expires, now),
        subject: grant.subject.id.clone(),
        tenant: grant.tenant_label().to_owned(),
        span: Left::until(grant.expires_at, now),
        emergency: grant.break_glass,
        start_url: activated.start_url,
    };
    render(None, &page)
}

/// Where a request's page is.
pub(super) fn requests_path(id: RequestId) -> String {
    format!("/requests/{id}")
}
