//! The shop's pages, one file a part of the shop.

mod account;
mod api;
mod assets;
mod chat;
mod export;
pub(crate) mod frame;
mod graphql;
mod home;
mod live;
mod orders;
mod security;
mod sign_in;
mod transfer;

use crate::server::Shop;
use crate::web::compress::gzip;
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get, patch, post};
use std::sync::Arc;

/// Largest form or JSON body; uploads have their own bound.
const MAX_BODY: usize = 64 * 1024;

/// Every route there is.
pub(crate) fn routes() -> Router<Arc<Shop>> {
    let whole = Router::new()
        .merge(shop())
        .merge(settings())
        .merge(scripts())
        .route("/static/{*file}", get(assets::file))
        .layer(from_fn(gzip));
    Router::new()
        .merge(whole)
        .merge(streams())
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { Problem::NotFound })
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

fn shop() -> Router<Arc<Shop>> {
    Router::new()
        .route("/", get(home::page))
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-out", post(sign_in::leave))
        .route("/orders", get(orders::list).post(orders::place))
        .route("/orders/{id}", get(orders::page))
        .route("/orders/{id}/notes", post(orders::add_note))
        .route("/orders/{id}/address", post(orders::deliver_to))
        .route("/orders/{id}/cancel", post(orders::cancel))
}

fn settings() -> Router<Arc<Shop>> {
    Router::new()
        .route("/account", get(account::profile))
        .route("/account/profile", post(account::save_profile))
        .route(
            "/account/addresses",
            get(account::addresses).post(account::add_address),
        )
        .route(
            "/account/addresses/{id}/delete",
            post(account::remove_address),
        )
        .route("/account/mfa", security::page("mfa"))
        .route("/account/mfa/enrol", post(security::enrol_mfa))
        .route("/account/mfa/reset", post(security::reset_mfa))
        .route(
            "/account/password",
            security::page("password").post(security::save_password),
        )
        .route(
            "/account/email",
            security::page("email").post(security::save_email),
        )
        .route(
            "/account/payment",
            security::page("payment").post(security::save_payment),
        )
        .route(
            "/account/tokens",
            get(security::tokens).post(security::add_token),
        )
        .route("/account/tokens/{id}/revoke", post(security::revoke_token))
        .route(
            "/account/delete",
            security::page("delete").post(security::delete),
        )
        .route("/export", get(export::page))
        .route("/export.csv", get(export::csv))
}

fn scripts() -> Router<Arc<Shop>> {
    Router::new()
        .route("/app", get(api::shell))
        .route("/app/{*rest}", get(api::shell))
        .route("/api/me", get(api::me))
        .route("/api/orders", get(api::orders))
        .route("/api/orders/{id}", get(api::order))
        .route("/api/orders/{id}", patch(api::change_order))
        .route("/graphql", post(graphql::execute))
}

/// What is not whole: never compressed, never buffered.
fn streams() -> Router<Arc<Shop>> {
    Router::new()
        .route("/live", get(live::page))
        .route("/events", get(live::events))
        .route("/ws", any(chat::open))
        .route(
            "/upload",
            post(transfer::upload).layer(DefaultBodyLimit::disable()),
        )
        .route("/download/{bytes}", get(transfer::download))
        .route("/static/big.bin", get(assets::big))
        .route("/slow", get(transfer::slow))
}
