//! Sessions: what is open, what happened in one, and ending it.

use super::asking::page;
use crate::control::api::input::{Asked, Named, PageSize, Said, Signed};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Key, Sentence, SessionRef};
use crate::control::api::view::session::{EndedCount, SessionView, SessionWithHistory, Sessions};
use crate::control::lifecycle::Which;
use axum::extract::State;
use serde::Deserialize;
use std::cmp::Reverse;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    /// Only the caller's own.
    mine: Option<bool>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<SessionRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Sessions that are not over, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "sessions",
    tag = "sessions",
    params(Listing),
    responses((status = 200, description = "Some sessions", body = Sessions))
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
    let mut open = api.control.sessions(&who, which).await?;
    // Ids grow with time: a cursor stays good when sessions end between two pages.
    open.sort_by_key(|it| Reverse(it.session.id));
    if let Some(SessionRef(after)) = asked.after {
        open.retain(|it| it.session.id < after);
    }
    let limit = page(asked.limit);
    let more = open.len() > limit;
    open.truncate(limit);
    let last = open.last().filter(|_| more);
    Reply::ok(&Sessions {
        next: last.map(|it| it.session.id.to_string()),
        items: open.iter().map(SessionView::from).collect(),
    })
}

/// One session, and what happened to it.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    operation_id = "session",
    tag = "sessions",
    params(("id" = inline(SessionRef), Path, description = "The session")),
    responses((status = 200, description = "The session", body = SessionWithHistory))
)]
pub(in crate::control::api) async fn one(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
) -> Outcome {
    let (stored, history) = api.control.session(&who, id).await?;
    Reply::ok(&SessionWithHistory::of(&stored, &history))
}

/// Why something is ended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct EndBody {
    reason: Sentence,
}

/// Ends one session, everywhere, at once.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/end",
    operation_id = "end-session",
    tag = "sessions",
    params(("id" = inline(SessionRef), Path, description = "The session")),
    request_body = EndBody,
    responses((status = 200, description = "The session, ended", body = SessionView))
)]
pub(in crate::control::api) async fn end(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
    said: Said<EndBody>,
) -> Outcome {
    let ended = api.control.end(&who, id, &said.value.reason.0).await?;
    Reply::ok(&SessionView::from(&ended))
}

/// What is ended, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct EndAllBody {
    key: Key,
    reason: Sentence,
}

/// Ends every session of one operator, customer, ticket, app, or all.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/end",
    operation_id = "end-sessions",
    tag = "sessions",
    request_body = EndAllBody,
    responses((status = 200, description = "How many there were", body = EndedCount))
)]
pub(in crate::control::api) async fn end_all(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    said: Said<EndAllBody>,
) -> Outcome {
    let EndAllBody { key, reason } = said.value;
    let ended = api.control.end_all(&who, key.0, &reason.0).await?;
    Reply::ok(&EndedCount { ended })
}
