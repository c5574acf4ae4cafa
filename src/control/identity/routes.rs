//! The routes of signing in and out.

use super::answers::guarded;
use super::api::operations;
use super::front::Identity;
use super::pages::STYLE;
use super::personas::PersonaForm;
use super::sign_in::{CallbackQuery, LoginQuery};
use super::sign_out::{BackChannelForm, LogoutForm, signed_out};
use crate::control::gate::Peer;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
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
        .route("/login/device", get(device_page))
        .route("/login/backchannel", post(backchannel))
        .route("/login/out", get(out))
        .route("/login/style.css", get(style))
        .route("/logout", post(logout))
        .merge(Router::from(operations()))
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

/// `?code=BCDF-GHJK`.
#[derive(Default, serde::Deserialize)]
struct CodeQuery {
    code: Option<String>,
}

async fn device_page(
    State(front): Front,
    Extension(peer): Extension<Peer>,
    query: Result<Query<CodeQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let code = query.code.unwrap_or_default();
    front.device_page(&code, &headers, &peer).await
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
