//! Forms and script requests that prove they come from the shop's own pages (double-submit cookie).

use super::problem::Problem;
use super::visitor::Visitor;
use axum::body::{Body, Bytes};
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

/// The header in which scripts send the token.
const HEADER: &str = "x-csrf-token";
const STALE: Problem = Problem::Forbidden(
    "This page was open for too long, or in another window. Go back, reload it, and try again.",
);

/// A form whose `csrf` field is its visitor's.
pub(crate) struct Checked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, state)
            .await
            .map_err(|why| Problem::Invalid(why.body_text()))?;
        let token = form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf");
        if !token.is_some_and(|(_, token)| visitor.owns(&token)) {
            return Err(STALE);
        }
        let again = Request::from_parts(parts, Body::from(bytes));
        let Form(form) = Form::from_request(again, state)
            .await
            .map_err(|why| Problem::Invalid(why.body_text()))?;
        Ok(Self(form))
    }
}

/// A form without fields of its own: a button.
#[derive(serde::Deserialize)]
pub(crate) struct Button {}

/// A script's request with its visitor's token in `X-CSRF-Token`.
pub(crate) struct FromScript;

impl<S: Sync> FromRequestParts<S> for FromScript {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        let token = parts
            .headers
            .get(HEADER)
            .and_then(|token| token.to_str().ok());
        if token.is_some_and(|token| visitor.owns(token)) {
            Ok(Self)
        } else {
            Err(STALE)
        }
    }
}
