//! How pages are answered: as HTML with its status, or by a redirect that never leaves this origin.

use crate::control::refusal::{Kind, Refusal};
use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

/// What a page comes to.
pub(super) type Shown = Result<Response, Refusal>;

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
