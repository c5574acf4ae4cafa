//! The one way in: every page and every action comes through here, so none can forget the sign-in or the CSRF proof, and
//! every refusal becomes a page.

use super::answer::{Shown, go, is_own, sign_in_link};
use super::call::{Call, Inner};
use super::fields::Fields;
use super::refused;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::extract::Problem;
use crate::control::web::shared::Shared;
use crate::model::OperatorKind;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{Method, header};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Makes a page's function a handler: what it refuses becomes a page too, and is recorded.
pub(super) fn to<F, Fut>(
    page: F,
) -> impl Fn(Call) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Shown> + Send + 'static,
{
    move |call| {
        let shown = page(call.clone());
        Box::pin(async move {
            match shown.await {
                Ok(response) => response,
                Err(refusal) => refused::page(&call, &refusal).await,
            }
        })
    }
}

impl FromRequest<Shared> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = match web.gate.visitor(&parts.headers).await {
            Ok(Some(visit)) => visit,
            Ok(None) => return Err(to_sign_in(&parts)),
            Err(refusal) => return Err(refused::alone(&refusal)),
        };
        let ids = match RawPathParams::from_request_parts(&mut parts, web).await {
            Ok(params) => params.iter().map(|(_, value)| value.to_owned()).collect(),
            Err(_) => Vec::new(),
        };
        let mut inner = Inner {
            web: Arc::clone(web),
            visit,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            ids,
            query: Fields::read(parts.uri.query().unwrap_or_default().as_bytes()),
            form: Fields::default(),
        };
        let is_safe = parts.method.is_safe();
        let headers = parts.headers.clone();
        if !is_safe {
            let body = Bytes::from_request(Request::from_parts(parts, body), web).await;
            inner.form = Fields::read(&body.map_err(|_| refused::alone(&too_large()))?);
        }
        let call = Self::new(inner);
        let proof = Some(call.form.get("csrf")).filter(|token| !token.is_empty());
        let checked = if call.caller().kind == OperatorKind::Workload {
            Err(Refusal::forbidden(
                "duty.workload-portal",
                "The portal is for people. Workloads use the API.",
            ))
        } else if is_safe {
            Ok(())
        } else {
            web.gate.check_unsafe(&headers, &call.visit, proof)
        };
        match checked {
            Ok(()) => Ok(call),
            Err(refusal) => {
                if !is_safe {
                    refused::note(&call, "form", &refusal).await;
                }
                Err(refused::page(&call, &refusal).await)
            }
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        Kind::Invalid,
        "form.unreadable",
        "What was sent is too long, or broke off. Send less.",
    )
}

/// To the sign-in page, and back to where they wanted to go: always a path of this origin.
fn to_sign_in(parts: &Parts) -> Response {
    let wanted = match (&parts.method, parts.uri.path_and_query()) {
        (&Method::GET, Some(wanted)) if is_own(wanted.as_str()) => wanted.as_str(),
        _ => "/",
    };
    go(&sign_in_link(wanted, false))
}

/// What is no page of ours: words for a browser, a problem document for everybody else.
pub(in crate::control) async fn missing(State(web): State<Shared>, request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT);
    let accepts = accepts
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !request.method().is_safe() || !accepts.contains("text/html") {
        return Problem(Refusal::not_found()).into_response();
    }
    match Call::from_request(request, &web).await {
        Ok(call) => refused::page(&call, &Refusal::not_found()).await,
        Err(response) => response,
    }
}
