//! One request of somebody who signed in: who, what they sent, and how it is answered. Every page and every action comes
//! through here, so none can forget the sign-in or the CSRF proof.

use super::fields::Fields;
use super::frame::Frame;
use super::nav::{self, Here};
use super::refused;
use crate::control::desk::Control;
use crate::control::gate::Visit;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::shared::Shared;
use crate::model::{Caller, OperatorKind, Role};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

/// What a page comes to.
pub(super) type Shown = Result<Response, Refusal>;

/// One request. Cheap to clone.
#[derive(Clone)]
pub(super) struct Call(Arc<Inner>);

pub(super) struct Inner {
    pub(super) web: Shared,
    pub(super) visit: Visit,
    pub(super) method: Method,
    /// As it was asked for, without its query.
    pub(super) path: String,
    ids: Vec<String>,
    pub(super) query: Fields,
    pub(super) form: Fields,
}

impl Deref for Call {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

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
        let call = Self(Arc::new(inner));
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

/// Whether a link stays on this origin: one slash, then something that is no second one (`//host`, `/\host`).
pub(super) fn is_own(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')
}

/// Where somebody proves who they are and comes back to `to`.
pub(super) fn sign_in_link(to: &str, fresh: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("/login?"), 7);
    query.append_pair("to", to);
    if fresh {
        query.append_pair("fresh", "1");
    }
    query.finish()
}

/// A redirect that a browser follows with GET (RFC 9110 §15.4.4).
pub(super) fn go(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// After an action: back to a page of ours, which says what was done. `word` is one of [`super::done`].
pub(super) fn back_to(path: &str, word: &'static str) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    go(&format!("{path}{joint}done={word}"))
}

/// A page, with the status that goes with what stood in its way.
pub(super) fn render(trouble: Option<&Refusal>, page: &impl Template) -> Shown {
    let status = trouble.map_or(200, |refusal| refusal.kind.status());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Refusal::new(
            Kind::Unavailable,
            "page",
            "This page could not be written. Try again in a moment.",
        )
    })?;
    Ok((status, Html(html)).into_response())
}

impl Call {
    pub(super) fn control(&self) -> &Control {
        &self.web.control
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.visit.caller
    }

    pub(super) fn is_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.caller().is(*role))
    }

    /// Refuses whoever the page is not for.
    pub(super) fn needs(&self, here: Here) -> Result<(), Refusal> {
        if self.is_any(nav::roles(here)) {
            return Ok(());
        }
        let names: Vec<&str> = nav::roles(here).iter().map(|it| it.as_str()).collect();
        Err(Refusal::forbidden(
            "portal.role",
            format!("This page is for these roles: {}.", names.join(", ")),
        ))
    }

    /// The id in the path. A text that is none is like one that does not exist.
    pub(super) fn id<T: FromStr>(&self) -> Result<T, Refusal> {
        let first = self.ids.first().and_then(|text| text.parse().ok());
        first.ok_or_else(Refusal::not_found)
    }

    /// The frame around a page, with the navigation of this person.
    pub(super) async fn frame(&self, title: &str, here: Here) -> Frame {
        Frame::of(self, title, here).await
    }
}
