//! What can go wrong with a request, as a page or, under `/api`, as JSON.

use crate::pages::frame::Frame;
use askama::Template;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub(crate) enum Problem {
    NotFound,
    Forbidden(&'static str),
    Invalid(String),
    /// Not signed in; `back` is the path to come back to.
    SignInFirst {
        back: String,
    },
    BadAssertion(String),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for Problem {
    fn from(why: rusqlite::Error) -> Self {
        Self::Internal(why.into())
    }
}

#[derive(Template)]
#[template(path = "problem.html", config = "examples/storefront/askama.toml")]
struct Page {
    frame: Frame,
    head: &'static str,
    text: String,
}

impl Problem {
    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "We could not find that",
                "The page may have moved, or it belongs to somebody else.".into(),
            ),
            Self::Forbidden(text) => (StatusCode::FORBIDDEN, "That is not possible", text.into()),
            Self::Invalid(text) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Something is missing",
                text,
            ),
            Self::SignInFirst { .. } => (
                StatusCode::UNAUTHORIZED,
                "Please sign in",
                "This needs an account.".into(),
            ),
            Self::BadAssertion(text) => (StatusCode::UNAUTHORIZED, "Assertion refused", text),
            Self::Internal(why) => {
                eprintln!("storefront: {why}");
                let text = "It is our fault, and we know of it. Please try again.".into();
                (StatusCode::INTERNAL_SERVER_ERROR, "Something broke", text)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::SignInFirst { back } = &self {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair("next", back).finish();
            let location = format!("/sign-in?{query}");
            return (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        }
        let (status, head, text) = self.parts();
        let page = Page {
            frame: Frame::plain(),
            head,
            text,
        };
        match page.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => status.into_response(),
        }
    }
}

/// The same as JSON, for scripts.
pub(crate) struct ForScripts(Problem);

impl<P: Into<Problem>> From<P> for ForScripts {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for ForScripts {
    fn into_response(self) -> Response {
        let (status, head, text) = self.0.parts();
        let body = serde_json::json!({ "error": head, "detail": text });
        (status, Json(body)).into_response()
    }
}
