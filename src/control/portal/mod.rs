//! The portal: pages for operators, approvers, security, and the customer's own auditor.
//!
//! Written by the server, and whole without scripts. Each page asks [`crate::control::desk::Control`] and nothing else;
//! what it shows is made ready in Rust, so that templates (`templates/`) hold no rule. [`way_in`] is the one way in.

mod answer;
mod approvals;
mod ask;
mod ask_view;
mod assets;
mod call;
mod changes;
mod consent;
mod customer;
mod done;
mod emergency;
mod evidence;
mod evidence_row;
mod fields;
mod frame;
mod headers;
mod home;
mod journal;
mod live;
mod locks;
mod nav;
mod parts;
mod policy;
mod recording;
mod refused;
mod requests;
mod reviews;
mod session;
mod summary;
mod told;
pub mod views;
mod way_in;
mod words;
mod workloads;

pub use journal::Journal;
pub use views::{Exchange, Explain, LogOf, Outcome, PolicyView, Recorded, SessionRecords, Views};

use super::web::shared::Shared;
use axum::Router;
use axum::routing::{MethodRouter, any, get, post};
use way_in::to;

/// What the listener answers where nothing else does.
pub(super) fn missing() -> MethodRouter<Shared> {
    any(way_in::missing).layer(axum::middleware::from_fn(headers::dress))
}

/// Every page and every form.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(to(home::mine)))
        .route("/requests", get(to(requests::list)))
        .route("/requests/new", get(to(ask::form)).post(to(ask::send)))
        .route("/requests/check", post(to(ask::check)))
        .route("/requests/{id}", get(to(requests::one)))
        .route("/requests/{id}/cancel", post(to(requests::cancel)))
        .route("/requests/{id}/consent", post(to(requests::consent)))
        .route("/requests/{id}/activate", post(to(requests::activate)))
        .route("/requests/{id}/start-link", post(to(requests::start_link)))
        .route(
            "/requests/{id}/consent-link",
            post(to(requests::consent_link)),
        )
        .route("/approvals", get(to(approvals::list)))
        .route(
            "/approvals/{id}",
            get(to(approvals::one)).post(to(approvals::vote)),
        )
        .route("/live", get(to(live::list)).post(to(live::act)))
        .route("/sessions/{id}", get(to(session::one)))
        .route(
            "/sessions/{id}/end",
            get(to(session::end_form)).post(to(session::end)),
        )
        .merge(recording::router())
        .route(
            "/break-glass",
            get(to(emergency::form)).post(to(emergency::ask)),
        )
        .route("/reviews", get(to(reviews::list)))
        .route(
            "/reviews/{id}",
            get(to(reviews::one)).post(to(reviews::write)),
        )
        .route("/workloads", get(to(workloads::list)))
        .route(
            "/workloads/new",
            get(to(workloads::form)).post(to(workloads::register)),
        )
        .route(
            "/workloads/disable",
            get(to(workloads::disable_form)).post(to(workloads::disable)),
        )
        .route("/policy", get(to(policy::show)))
        .route(
            "/policy/changes/{id}",
            get(to(changes::one)).post(to(changes::vote)),
        )
        .route("/locks", get(to(locks::list)).post(to(locks::set)))
        .route("/locks/{id}/lift", post(to(locks::lift)))
        .route("/evidence", get(to(evidence::list)))
        .route("/evidence/export", get(to(evidence::export)))
        .route("/evidence/{id}", get(to(evidence::one)))
        .route("/customer", get(to(customer::list)))
        .route("/consent", get(consent::landing).post(consent::step))
        .route("/parts/nav", get(to(frame::nav_part)))
        .route("/parts/sessions", get(to(home::part)))
        .route("/parts/live", get(to(live::part)))
        .route("/favicon.ico", get(assets::icon))
        .route("/assets/{name}", get(assets::serve))
        .layer(axum::middleware::from_fn(headers::dress))
}

#[cfg(test)]
mod tests;
