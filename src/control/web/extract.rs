//! Who asks, for handlers; and refusals as answers (RFC 9457).

use super::shared::Shared;
use crate::control::gate::Visit;
use crate::control::refusal::{Kind, Refusal};
use crate::model::Caller;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

/// The caller of an API request. Refuses with 401.
#[derive(Clone, Debug)]
pub struct Signed(pub Caller);

impl FromRequestParts<Shared> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Shared) -> Result<Self, Problem> {
        Ok(Self(web.gate.caller(parts).await?))
    }
}

/// The person who looks at a page. Sends whoever did not sign in to do so.
#[derive(Clone, Debug)]
pub struct Visitor(pub Visit);

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Shared) -> Result<Self, Response> {
        match web.gate.visitor(&parts.headers).await {
            Ok(Some(visit)) => Ok(Self(visit)),
            Ok(None) => {
                let to = parts.uri.path_and_query().map_or("/", |it| it.as_str());
                let query: String = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("to", to)
                    .finish();
                Err(Redirect::to(&format!("/login?{query}")).into_response())
            }
            Err(refusal) => Err(Problem(refusal).into_response()),
        }
    }
}

/// A refusal as `application/problem+json`.
#[derive(Debug)]
pub struct Problem(pub Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let refusal = self.0;
        if refusal.kind == Kind::Unavailable {
            tracing::error!(error = %refusal, cause = ?std::error::Error::source(&refusal), "the control plane could not answer");
        }
        let status = StatusCode::from_u16(refusal.kind.status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": refusal.detail,
            "reason": refusal.reason,
            "problems": refusal.problems,
        });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        let mut set =
            |name, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "application/problem+json");
        set(header::CACHE_CONTROL, "no-store");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        match refusal.kind {
            Kind::Unauthenticated => {
                set(header::WWW_AUTHENTICATE, "Bearer");
            }
            // RFC 9470 §3.
            Kind::StepUp => {
                let challenge = "Bearer error=\"insufficient_user_authentication\"";
                set(header::WWW_AUTHENTICATE, challenge);
            }
            Kind::TooMany | Kind::Unavailable => {
                set(header::RETRY_AFTER, "5");
            }
            _ => {}
        }
        response
    }
}
