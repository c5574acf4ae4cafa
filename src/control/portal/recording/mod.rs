//! Recordings: a reason is stated first, and put on record; then what was recorded of the session, page by page.

mod body;
mod exchange;
mod export;
mod list;
mod page;
mod view;

use super::way_in::to;
use crate::control::web::shared::Shared;
use axum::Router;
use axum::routing::get;

/// Its pages and forms.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route(
            "/sessions/{id}/recording",
            get(to(list::show)).post(to(list::open)),
        )
        .route("/sessions/{id}/recording/{x}", get(to(exchange::one)))
        .route("/sessions/{id}/recording/{x}/page", get(to(page::page)))
        .route(
            "/sessions/{id}/recording/{x}/{side}",
            get(to(body::download)),
        )
        .route(
            "/sessions/{id}/export",
            get(to(export::form)).post(to(export::send)),
        )
}
