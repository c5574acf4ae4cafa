//! The two operations that signing in a command line adds to the API, and what its document says of them.

use super::answers::guarded;
use super::device::{DevicePoll, DeviceRequest, DeviceStarted, DeviceToken, DeviceWaiting};
use super::front::Identity;
use crate::control::gate::Peer;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::extract::Problem;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn operations() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::default()
        .routes(routes!(begin))
        .routes(routes!(look))
        .routes(routes!(logout))
}

/// For the API's document, to be merged into it.
pub fn document() -> OpenApi {
    operations().into_openapi()
}

/// Begins to sign in a command line (RFC 8628). Nobody needs to be signed in for it.
#[utoipa::path(
    post,
    path = "/api/v1/login/device",
    operation_id = "begin_device_login",
    tag = "sign-in",
    request_body = DeviceRequest,
    responses((status = 200, description = "Codes to show and to ask with", body = DeviceStarted)),
    security(())
)]
async fn begin(
    State(front): State<Arc<Identity>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Response {
    let asked: DeviceRequest = match read(body) {
        Ok(asked) => asked,
        Err(refusal) => return Problem(refusal).into_response(),
    };
    match front.device(asked, &peer).await {
        Ok(begun) => guarded(begun.into_response()),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

/// Looks whether the person signed in; then gives the token.
#[utoipa::path(
    post,
    path = "/api/v1/login/device/token",
    operation_id = "finish_device_login",
    tag = "sign-in",
    request_body = DevicePoll,
    responses(
        (status = 200, description = "The token", body = DeviceToken),
        (status = 202, description = "Not yet", body = DeviceWaiting)
    ),
    security(())
)]
async fn look(
    State(front): State<Arc<Identity>>,
    Extension(peer): Extension<Peer>,
    body: Body,
) -> Response {
    let poll: DevicePoll = match read(body) {
        Ok(poll) => poll,
        Err(refusal) => return Problem(refusal).into_response(),
    };
    match front.device_token(poll, &peer).await {
        Ok(response) => guarded(response),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

/// Voids the token that is shown. Support sessions go on.
#[utoipa::path(
    post,
    path = "/api/v1/logout",
    operation_id = "logout",
    tag = "sign-in",
    responses((status = 204, description = "The token is void, whether or not it was good"))
)]
async fn logout(
    State(front): State<Arc<Identity>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    match front.void_token(&headers, &peer).await {
        Ok(()) => guarded(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

type Body = Result<Json<Map<String, Value>>, JsonRejection>;

/// An object and nothing else: a list would be taken for the members in their order.
fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let unreadable = |why: String| {
        let detail = format!("The body cannot be read: {why}.");
        Refusal::new(Kind::Invalid, "body", detail)
    };
    let Json(members) = body.map_err(|why| unreadable(why.body_text()))?;
    serde_json::from_value(Value::Object(members)).map_err(|why| unreadable(why.to_string()))
}
