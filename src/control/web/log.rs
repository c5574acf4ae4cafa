//! The journal's log for those who follow it, as C2SP tlog-tiles has it: `/log/checkpoint` and `/log/tile/…` for all,
//! `/log/tenants/<name>/…` for those who may see that tenant. Tiles tell nothing of the records but hashes.
//!
//! <https://c2sp.org/tlog-tiles>

use super::extract::Problem;
use super::shared::Shared;
use crate::audit::tree;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
        .route("/log/tenants/{tenant}/checkpoint", get(tenant_checkpoint))
        .route("/log/tenants/{tenant}/tile/{*path}", get(tenant_tile))
}

async fn checkpoint(State(web): State<Shared>) -> Response {
    answer(&web, None, "checkpoint".to_owned()).await
}

async fn tile(State(web): State<Shared>, Path(path): Path<String>) -> Response {
    answer(&web, None, format!("tile/{path}")).await
}

async fn tenant_checkpoint(
    State(web): State<Shared>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    of_tenant(&web, tenant, "checkpoint".to_owned(), request).await
}

async fn tenant_tile(
    State(web): State<Shared>,
    Path((tenant, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    of_tenant(&web, tenant, format!("tile/{path}"), request).await
}

async fn of_tenant(web: &Shared, tenant: String, path: String, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match web.gate.caller(&parts).await {
        Ok(caller) if duties::may_see_log_of(&caller, &tenant) => {
            answer(web, Some(tenant), path).await
        }
        Ok(_) => Problem(Refusal::not_found()).into_response(),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

async fn answer(web: &Shared, tenant: Option<String>, path: String) -> Response {
    let Some(journal) = web.views.log.0.clone() else {
        return Problem(Refusal::not_found()).into_response();
    };
    let is_checkpoint = path == "checkpoint";
    let is_open = tenant.is_none();
    let read = move || tree::published(&journal, tenant.as_deref(), &path);
    let bytes = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => return Problem(Refusal::not_found()).into_response(),
        Ok(Err(error)) => return unreadable(&error),
        Err(error) => return unreadable(&error),
    };
    let (kind, cache) = match (is_checkpoint, is_open) {
        (true, _) => ("text/plain; charset=utf-8", "max-age=2"),
        (false, true) => (
            "application/octet-stream",
            "public, max-age=31536000, immutable",
        ),
        (false, false) => (
            "application/octet-stream",
            "private, max-age=31536000, immutable",
        ),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, bytes).into_response()
}

fn unreadable(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "the journal's log cannot be read");
    let detail = "The log cannot be read at present: try again in a moment.";
    Problem(Refusal::new(Kind::Unavailable, "log", detail)).into_response()
}
