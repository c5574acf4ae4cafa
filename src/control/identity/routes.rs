//! The routes of signing in and out.

use super::answers::guarded;
use super::device::{DevicePoll, DeviceRequest};
use super::front::Identity;
use super::pages::STYLE;
use super::personas::PersonaForm;
use super::sign_in::{CallbackQuery, LoginQuery};
use super::sign_out::{BackChannelForm, LogoutForm, signed_out};
use crate::control::gate::Peer;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::extract::Problem;
use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use http::{HeaderMap, header};
use std::sync::Arc;

/// Bodies are a form of two fields, or a small JSON object.
const MAX_BODY: usize = 64 * 1024;

type Front = State<Arc<Identity>>;

/// All of them, to be merged into the router of the portal's listener.
pub fn router<S>(identity: Arc<Identity>) -> Router<S> {
    Router::new()
        .route("/login", get(login))
        .route("/login/callback", get(callback))
        .route("/login/persona", get(login).post(persona))
        .route("/login/backchannel", post(backchannel))
        .route("/login/out", get(out))
        .route("/login/style.css", get(style))
        .route("/logout", post(logout))
        .route("/api/v1/login/device", post(device))
        .route("/api/v1/login/device/token", post(device_token))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(identity)
}

async fn login(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    query: Result<Query<LoginQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    front.login(query, &headers, &peer).await
}

async fn callback(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    Query(query): Query<CallbackQuery>,
    headers: HeaderMap,
) -> Response {
    front.callback(query, &headers, &peer).await
}

async fn persona(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(form): Form<PersonaForm>,
) -> Response {
    front.chosen(form, &headers, &peer).await
}

async fn logout(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Result<Form<LogoutForm>, FormRejection>,
) -> Response {
    let form = form.map(|Form(form)| form).unwrap_or_default();
    front.logout(form, &headers, &peer).await
}

async fn backchannel(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    Form(form): Form<BackChannelForm>,
) -> Response {
    front.backchannel(form, &peer).await
}

async fn out() -> Response {
    signed_out(None, 0)
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    guarded((kind, STYLE).into_response())
}

async fn device(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    body: Result<Json<DeviceRequest>, JsonRejection>,
) -> Response {
    let asked = match body {
        Ok(Json(asked)) => asked,
        Err(why) => return unreadable(&why),
    };
    match front.device(asked, &peer).await {
        Ok(begun) => guarded(begun.into_response()),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

async fn device_token(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    body: Result<Json<DevicePoll>, JsonRejection>,
) -> Response {
    let poll = match body {
        Ok(Json(poll)) => poll,
        Err(why) => return unreadable(&why),
    };
    match front.device_token(poll, &peer).await {
        Ok(response) => guarded(response),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

fn unreadable(why: &JsonRejection) -> Response {
    let detail = format!("The body cannot be read: {}.", why.body_text());
    Problem(Refusal::new(Kind::Invalid, "body", detail)).into_response()
}
