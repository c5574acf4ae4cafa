//! The portal's listener: an origin of its own, which no upstream can serve. API, pages, sign-in, hooks and keys.

pub mod extract;
pub mod listen;
pub mod log;
pub mod shared;
mod timely;

use super::api::{self, Api};
use super::identity::{self, Identity};
use super::refusal::{Kind, Refusal};
use super::signals::{self, Signals};
use super::{portal, replay, tickets};
use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use extract::Problem;
use http::header;
use shared::Shared;
use std::sync::Arc;

/// Where apps fetch the keys of assertions (RFC 7517 §5).
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Everything that the listener answers.
pub fn router(web: Shared, identity: Arc<Identity>, signals: Signals, api: Arc<Api>) -> Router {
    let shown = web.views.log.clone();
    Router::new()
        .route(JWKS_PATH, get(jwks))
        .merge(log::router())
        .merge(portal::router())
        .merge(tickets::router())
        .merge(identity::router(identity))
        .merge(signals::router(signals))
        .merge(api::router(api))
        .fallback_service(portal::missing().with_state(Arc::clone(&web)))
        .method_not_allowed_fallback(|| async {
            let detail = "This address does not take that method.";
            Problem(Refusal::new(Kind::Method, "method", detail))
        })
        .layer(axum::Extension(shown))
        .layer(from_fn_with_state(Arc::clone(&web), replay::door::divert))
        .with_state(web)
}

async fn jwks(State(web): State<Shared>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, (web.jwks)()).into_response()
}
