//! Coming in and going out.

use super::frame::{Frame, html, see_other};
use crate::server::Shop;
use crate::store::{customers, password};
use crate::web::form::{Button, Checked};
use crate::web::problem::Problem;
use crate::web::visitor::{Visitor, sign_in_cookie};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "sign_in.html", config = "examples/storefront/askama.toml")]
struct SignIn {
    frame: Frame,
    next: String,
    email: String,
    failed: bool,
}

#[derive(serde::Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn page(
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Problem> {
    let frame = Frame::of(&visitor, "sign-in");
    html(&SignIn {
        frame,
        next,
        email: String::new(),
        failed: false,
    })
}

pub(crate) async fn submit(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Checked(given): Checked<Credentials>,
) -> Result<Response, Problem> {
    let known = shop
        .store
        .with(|db| customers::credentials(db, &given.email))?;
    // The hash takes tens of milliseconds: not on a thread that serves others.
    let password = given.password;
    let checked = tokio::task::spawn_blocking(move || {
        known.filter(|(_, stored)| password::matches(stored, &password))
    });
    let Some((customer, _)) = checked.await.map_err(|why| Problem::Internal(why.into()))? else {
        let frame = Frame::of(&visitor, "sign-in");
        let again = SignIn {
            frame,
            next: given.next,
            email: given.email,
            failed: true,
        };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response());
    };
    let token = shop.store.with(|db| customers::sign_in(db, customer))?;
    let mut response = see_other(&shop, local(&given.next));
    response
        .headers_mut()
        .extend(sign_in_cookie(&shop.public, &token).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// A path on this shop and nothing that a browser would take for another site.
fn local(next: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    if next.starts_with('/') && !next.starts_with("//") && next.bytes().all(plain) {
        next
    } else {
        "/orders"
    }
}

pub(crate) async fn leave(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    if let Some(token) = &visitor.sign_in {
        shop.store.with(|db| customers::sign_out(db, token))?;
    }
    let mut response = see_other(&shop, "/");
    response
        .headers_mut()
        .extend(sign_in_cookie(&shop.public, "").map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
