//! Asking for access: looking ahead, asking, asking in an emergency, reading what was asked, taking it back.

use crate::control::api::input::{Asked, IfMatch, Key, Named, PAGE, PageSize, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{ExchangeRef, Few, Line, RequestRef, ScopeName, Sentence, Within};
use crate::control::api::view::request::{Preview, RequestView, RequestWithVotes, Requests};
use crate::control::api::view::word;
use crate::control::lifecycle::{Ask, At, Which};
use crate::model::{AccessRequest, Caller, RequestState};
use crate::store::control::Query;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct AskBody {
    app: Line,
    /// The customer.
    tenant: Line,
    /// The customer's user to stand in for.
    subject: Line,
    subject_name: Option<Line>,
    #[schema(value_type = Vec<ScopeName>, min_items = 1, max_items = 64)]
    scopes: Few<ScopeName, 1, 64>,
    /// How long the grant is to last; the configured default where absent.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 10080)]
    minutes: Option<Within<1, 10080>>,
    ticket: Option<Line>,
    /// One of the configured words: see `apps`.
    reason_code: Line,
    reason: Sentence,
    /// The refused exchange that this asks elevation for.
    elevates: Option<ExchangeRef>,
}

/// What is asked for in an emergency. The scopes are those of break-glass, by configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct EmergencyBody {
    app: Line,
    /// The customer.
    tenant: Line,
    /// The customer's user to stand in for.
    subject: Line,
    subject_name: Option<Line>,
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 10080)]
    minutes: Option<Within<1, 10080>>,
    ticket: Option<Line>,
    /// The incident that makes this an emergency.
    incident: Line,
    reason_code: Line,
    reason: Sentence,
}

impl From<AskBody> for Ask {
    fn from(it: AskBody) -> Self {
        Self {
            app: it.app.0,
            tenant: it.tenant.0,
            subject: it.subject.0,
            subject_name: it.subject_name.map(|it| it.0),
            scopes: it.scopes.0.iter().map(|it| it.0.to_string()).collect(),
            minutes: it.minutes.map_or(0, |it| it.0),
            ticket: it.ticket.map(|it| it.0).unwrap_or_default(),
            reason_code: it.reason_code.0,
            reason: it.reason.0,
            elevates: it.elevates.map(|it| it.0.to_string()),
            incident: None,
        }
    }
}

impl From<EmergencyBody> for Ask {
    fn from(it: EmergencyBody) -> Self {
        Self {
            app: it.app.0,
            tenant: it.tenant.0,
            subject: it.subject.0,
            subject_name: it.subject_name.map(|it| it.0),
            scopes: Vec::new(),
            minutes: it.minutes.map_or(0, |it| it.0),
            ticket: it.ticket.map(|it| it.0).unwrap_or_default(),
            reason_code: it.reason_code.0,
            reason: it.reason.0,
            elevates: None,
            incident: Some(it.incident.0),
        }
    }
}

/// What would become of a request. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/requests/preview",
    operation_id = "preview-request",
    tag = "requests",
    request_body = AskBody,
    responses((status = 200, description = "What policy would say", body = Preview))
)]
pub(in crate::control::api) async fn preview(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    said: Said<AskBody>,
) -> Outcome {
    let considered = api.control.consider(&who, &said.value.into()).await?;
    Reply::ok(&Preview::from(&considered))
}

/// Asks for access.
#[utoipa::path(
    post,
    path = "/api/v1/requests",
    operation_id = "ask",
    tag = "requests",
    params(Key),
    request_body = AskBody,
    responses((status = 201, description = "The request", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn ask(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    key: Key,
    said: Said<AskBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: "ask".to_owned(),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let ask = said.value.into();
    once(&api, &who, doing, async {
        let made = api.control.ask(&who, &ask).await?;
        created(&api, &who, &made).await
    })
    .await
}

/// Asks for access in an emergency.
#[utoipa::path(
    post,
    path = "/api/v1/break-glass",
    operation_id = "break-glass",
    tag = "requests",
    params(Key),
    request_body = EmergencyBody,
    responses((status = 201, description = "The request", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn emergency(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    key: Key,
    said: Said<EmergencyBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: "break-glass".to_owned(),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let ask = said.value.into();
    once(&api, &who, doing, async {
        let made = api.control.ask_in_emergency(&who, &ask).await?;
        created(&api, &who, &made).await
    })
    .await
}

/// Which requests.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    /// Only the caller's own.
    mine: Option<bool>,
    #[param(value_type = Option<word::RequestState>, inline)]
    state: Option<RequestState>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<RequestRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Requests, newest first: the caller's own, or all that their seats reach.
#[utoipa::path(
    get,
    path = "/api/v1/requests",
    operation_id = "requests",
    tag = "requests",
    params(Listing),
    responses((status = 200, description = "Some requests", body = Requests))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let which = match asked.mine {
        Some(true) => Which::Own,
        _ => Which::Reached,
    };
    let query = Query {
        states: asked.state.iter().map(|it| it.as_str()).collect(),
        after: asked.after.map(|it| it.0.to_string()),
        limit: page(asked.limit),
        ..Query::default()
    };
    let page = api.control.requests(&who, which, query).await?;
    Reply::ok(&Requests {
        items: page.items.iter().map(RequestView::from).collect(),
        next: page.next,
    })
}

pub(super) fn page(limit: Option<PageSize>) -> usize {
    limit.map_or(PAGE, |it| usize::try_from(it.0).unwrap_or(PAGE))
}

/// One request with its votes.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}",
    operation_id = "request",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request")),
    responses((status = 200, description = "The request", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn one(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
) -> Outcome {
    let seen = api.control.request(&who, id).await?;
    let view = RequestWithVotes::of(&seen, api.control.now());
    Ok(Reply::ok(&view)?.at(seen.request.version))
}

/// Takes a request back.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/cancel",
    operation_id = "cancel-request",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch),
    responses((status = 200, description = "The request", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn cancel(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
) -> Outcome {
    let made = api.control.cancel(&who, At { id, version }).await?;
    shown(&api, &who, &made).await
}

/// The request as it is now, with its votes.
pub(super) async fn shown(api: &Api, who: &Caller, made: &AccessRequest) -> Outcome {
    let seen = api.control.request(who, made.id).await?;
    let view = RequestWithVotes::of(&seen, api.control.now());
    Ok(Reply::ok(&view)?.at(seen.request.version))
}

async fn created(api: &Api, who: &Caller, made: &AccessRequest) -> Outcome {
    let seen = api.control.request(who, made.id).await?;
    let view = RequestWithVotes::of(&seen, api.control.now());
    let location = format!("/api/v1/requests/{}", made.id);
    Ok(Reply::created(&view, location)?.at(seen.request.version))
}
