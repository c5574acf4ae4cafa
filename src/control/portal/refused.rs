//! Pages that say no: what was not done, why in words, and the way on. What somebody may not see says nothing of it.

use super::answer::{Shown, render, sign_in_link};
use super::assets::{Assets, assets};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use crate::control::refusal::{Kind, Refusal};
use crate::model::Happened;
use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    frame: Frame,
    said: Said,
}

#[derive(Template)]
#[template(path = "refused_alone.html")]
struct RefusedAlone {
    title: &'static str,
    assets: &'static Assets,
    said: Said,
}

struct Said {
    head: &'static str,
    detail: String,
    reason: &'static str,
    /// A link and its words.
    way: (String, &'static str),
}

impl Said {
    fn of(refusal: &Refusal, path: &str) -> Self {
        let head = match refusal.kind {
            Kind::Invalid | Kind::Method => "That could not be read",
            Kind::Unauthenticated => "Please sign in",
            Kind::StepUp => "Please sign in again",
            Kind::Forbidden => "Not for you",
            Kind::NotFound => "There is nothing here",
            Kind::Conflict => "Not possible any more",
            Kind::Stale => "This has changed meanwhile",
            Kind::TooMany => "Too many",
            Kind::Unavailable => "Not possible now",
        };
        let way = match refusal.kind {
            Kind::Unauthenticated => (sign_in_link(path, false), "Sign in"),
            Kind::StepUp => (sign_in_link(path, true), "Sign in again"),
            _ => ("/".to_owned(), "To the start"),
        };
        Self {
            head,
            detail: refusal.detail.clone(),
            reason: refusal.reason,
            way,
        }
    }
}

/// For somebody who signed in. Looking where they may not is put on record here; actions are where they are refused.
pub(super) async fn page(call: &Call, refusal: &Refusal) -> Response {
    if call.method.is_safe() && matches!(refusal.kind, Kind::Forbidden | Kind::NotFound) {
        note(call, "look", refusal).await;
    }
    let said = Said::of(
        refusal,
        if call.method.is_safe() {
            &call.path
        } else {
            "/"
        },
    );
    let frame = call.frame(said.head, Here::Nowhere).await;
    written(render(Some(refusal), &Refused { frame, said }))
}

/// Puts on record what no other part of the control plane saw.
pub(super) async fn note(call: &Call, step: &str, refusal: &Refusal) {
    let about = Happened::default().with("path", &call.path);
    let control = call.control();
    control.refused(call.caller(), step, about, refusal).await;
}

/// For somebody unknown.
pub(super) fn alone(refusal: &Refusal) -> Response {
    let said = Said::of(refusal, "/");
    let page = RefusedAlone {
        title: said.head,
        assets: assets(),
        said,
    };
    written(render(Some(refusal), &page))
}

fn written(page: Shown) -> Response {
    page.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
}
