//! A no as the API says it: RFC 9457 `application/problem+json`, with the machine's word beside the sentence.

use crate::control::refusal::{Kind, Problem as Field, Refusal};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

/// A refusal with the status that it goes out with.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    refusal: Box<Refusal>,
    retry_after: Option<Duration>,
}

/// The machine's word of a refusal, left on the answer for the record of the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why(pub &'static str);

/// Why a call was not answered as asked (RFC 9457).
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemView {
    /// A URI of this kind of problem.
    #[serde(rename = "type")]
    #[schema(format = "uri", example = "urn:locum:problem:duty.requester")]
    kind: String,
    /// The kind in a few words.
    title: &'static str,
    /// The status code, once more.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people: what to do about it.
    detail: String,
    /// The machine's word; stable.
    #[schema(example = "duty.requester")]
    reason: &'static str,
    /// Fields that need another look.
    problems: Vec<FieldView>,
}

/// One field that needs another look.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = FieldProblem)]
pub(super) struct FieldView {
    field: String,
    message: String,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.kind.status());
        Self {
            status: status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            refusal: Box::new(refusal),
            retry_after: None,
        }
    }
}

impl Problem {
    /// One of HTTP's own, which no part of the control plane can say.
    pub(super) fn http(
        status: StatusCode,
        reason: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            refusal: Box::new(Refusal::new(Kind::Invalid, reason, detail)),
            retry_after: None,
        }
    }

    /// Something of the call's head or query that cannot be read.
    pub(super) fn unreadable(field: &str, message: impl Into<String>) -> Self {
        let mut problem = Self::http(
            StatusCode::BAD_REQUEST,
            "unreadable",
            format!("{field} cannot be read."),
        );
        problem.refusal.problems.push(Field {
            field: field.to_owned(),
            message: message.into(),
        });
        problem
    }

    /// Too many calls; `wait` until one would be taken.
    pub(super) fn too_fast(reason: &'static str, wait: Duration) -> Self {
        let refusal = Refusal::new(
            Kind::TooMany,
            reason,
            "Too many calls in a short time: wait as long as Retry-After says.",
        );
        Self {
            retry_after: Some(wait),
            ..Self::from(refusal)
        }
    }

    /// The form that an answer of axum's own gets.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Refusal::not_found().into(),
            StatusCode::METHOD_NOT_ALLOWED => Self::http(
                status,
                "method",
                "This method is not for this path: Allow names those that are.",
            ),
            status if status.is_client_error() => {
                Self::http(status, "unreadable", "The call cannot be read.")
            }
            _ => Self::http(
                StatusCode::SERVICE_UNAVAILABLE,
                "internal",
                "Something failed here. Try again in a moment.",
            ),
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        self.refusal.reason
    }
}

const fn title(status: u16) -> &'static str {
    match status {
        401 => "Sign in",
        403 => "Not for you",
        404 => "No such thing",
        405 => "Wrong method",
        408 => "Too slow",
        409 => "Not in this state",
        412 => "Changed meanwhile",
        413 => "Too large",
        415 => "Wrong media type",
        422 => "Fields need another look",
        429 => "Too many",
        503 => "Not now",
        _ => "Unreadable",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(error = %self.refusal, source = ?std::error::Error::source(&self.refusal), "an API call failed");
        }
        let view = ProblemView {
            kind: format!("urn:locum:problem:{}", self.refusal.reason),
            title: title(self.status.as_u16()),
            status: self.status.as_u16(),
            detail: self.refusal.detail,
            reason: self.refusal.reason,
            problems: self
                .refusal
                .problems
                .into_iter()
                .map(|it| FieldView {
                    field: it.field,
                    message: it.message,
                })
                .collect(),
        };
        // Texts and numbers only: this cannot fail.
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Why(view.reason));
        response
    }
}
