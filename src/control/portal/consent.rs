//! The customer's signed link: what exactly is asked, yes or no, and later the end. Whoever has the link needs no
//! account; its secret comes behind `#` and in form bodies only, so that no log has it.

use super::answer::{Shown, go, render};
use super::assets::{Assets, assets};
use super::done;
use super::fields::Fields;
use super::parts::{Notice, When};
use super::refused;
use super::words;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::shared::Shared;
use crate::model::{AccessRequest, RequestState, Secret};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

struct Asked {
    question: String,
    able: Vec<String>,
    who: String,
    person: String,
    ticket: String,
    reason: String,
    span: String,
    until: When,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Page {
    title: &'static str,
    assets: &'static Assets,
    notice: Option<Notice>,
    /// Hidden in the form; empty until the link was read.
    token: String,
    asked: Option<Asked>,
    may_agree: bool,
    may_refuse: bool,
    may_end: bool,
    state: &'static str,
}

impl Page {
    fn empty(notice: Option<Notice>) -> Self {
        Self {
            title: "Consent",
            assets: assets(),
            notice,
            token: String::new(),
            asked: None,
            may_agree: false,
            may_refuse: false,
            may_end: false,
            state: "",
        }
    }
}

/// Where the link leads: a script sends on what is behind `#`; without one, people paste it.
pub(super) async fn landing(RawQuery(query): RawQuery) -> Response {
    let query = Fields::read(query.unwrap_or_default().as_bytes());
    let notice = done::told(query.get("done")).map(Notice::good);
    answered(render(None, &Page::empty(notice)))
}

/// Both steps: reading the link, and answering by its form.
pub(super) async fn step(State(web): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Fields::read(&body);
    answered(try_step(&web, &headers, &form).await)
}

async fn try_step(web: &Shared, headers: &HeaderMap, form: &Fields) -> Shown {
    // People paste whole links.
    let text = form.get("token");
    let text = text.rsplit_once('#').map_or(text, |(_, secret)| secret);
    let Some(secret) = Secret::parse(text) else {
        let why = Refusal::new(
            Kind::Invalid,
            "consent.link",
            "This is not a whole consent link. Copy all of it, with what stands behind the #.",
        );
        return render(Some(&why), &Page::empty(Some(Notice::trouble(&why))));
    };
    // The customer's administrator is nobody of ours; somebody of ours who holds the link is known by their login.
    let visitor = web.gate.visitor(headers).await.ok().flatten();
    let visitor = visitor.as_ref().map(|it| &it.caller);
    let done = match form.get("answer") {
        "" => {
            let request = web.control.consent_seen(&secret).await?;
            return show(web, &request, &secret, None);
        }
        "agree" => web
            .control
            .consent(&secret, true, visitor)
            .await
            .map(|_| "consented"),
        "refuse" => web
            .control
            .consent(&secret, false, visitor)
            .await
            .map(|_| "declined"),
        "end" => web
            .control
            .consent(&secret, false, visitor)
            .await
            .map(|_| "stopped"),
        _ => Err(Refusal::new(
            Kind::Invalid,
            "consent.answer",
            "Answer yes or no.",
        )),
    };
    match done {
        Ok(done) => Ok(go(&format!("/consent?done={done}"))),
        Err(refusal) => {
            let request = web.control.consent_seen(&secret).await?;
            show(web, &request, &secret, Some(&refusal))
        }
    }
}

fn show(
    web: &Shared,
    request: &AccessRequest,
    secret: &Secret,
    trouble: Option<&Refusal>,
) -> Shown {
    let known = web.control.routes.scopes(&request.app);
    let open = request.state.is_open();
    let page = Page {
        notice: trouble.map(Notice::trouble),
        token: secret.reveal(),
        asked: Some(Asked {
            question: words::question(request, &known),
            able: words::sentences(&request.scopes, &known),
            who: words::operator(request).to_owned(),
            person: request.operator.id.clone(),
            ticket: request.ticket.clone(),
            reason: request.reason.clone(),
            span: words::span(request.duration),
            until: When::at(request.expires_at),
        }),
        may_agree: request.state == RequestState::Pending && request.consented.is_none(),
        may_refuse: open,
        may_end: request.state == RequestState::Activated,
        state: match (request.state, request.consented.is_some()) {
            (RequestState::Pending, false) => "Your answer is needed.",
            (RequestState::Pending | RequestState::Approved | RequestState::Queued, _) => {
                "You agreed. Nobody has got in yet."
            }
            (RequestState::Activated, _) => "You agreed, and the session was opened.",
            _ => "This request is closed: nobody gets in by it.",
        },
        ..Page::empty(None)
    };
    render(trouble, &page)
}

fn answered(shown: Shown) -> Response {
    shown.unwrap_or_else(|refusal| refused::alone(&refusal))
}
