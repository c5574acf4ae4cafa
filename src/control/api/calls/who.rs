//! Who am I, and what can I ask for.

use crate::control::api::input::Signed;
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::view::who::{AppView, Apps, ScopeView, Whoami};
use axum::extract::State;
use std::sync::Arc;

/// Who the caller is.
#[utoipa::path(
    get,
    path = "/api/v1/whoami",
    operation_id = "whoami",
    tag = "caller",
    responses((status = 200, description = "The caller, with all seats", body = Whoami))
)]
pub(in crate::control::api) async fn whoami(Signed(who): Signed) -> Outcome {
    Reply::ok(&Whoami::from(&who))
}

/// Apps and their scopes.
#[utoipa::path(
    get,
    path = "/api/v1/apps",
    operation_id = "apps",
    tag = "caller",
    responses((status = 200, description = "The apps that the caller's seats reach", body = Apps))
)]
pub(in crate::control::api) async fn apps(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
) -> Outcome {
    let routes = &api.control.routes;
    let reached = routes
        .apps()
        .into_iter()
        .filter(|app| who.seats.iter().any(|seat| seat.apps.covers(app)));
    let items = reached.map(|name| AppView {
        scopes: routes.choices(&name).iter().map(ScopeView::from).collect(),
        name,
    });
    Reply::ok(&Apps {
        items: items.collect(),
        next: None,
        reason_codes: api.control.settings.load().reason_codes.clone(),
    })
}
