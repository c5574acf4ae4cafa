//! Answers of the sign-in routes: pages that cannot be framed, cached or scripted, and ways on within this origin.

use super::pages::NotSignedIn;
use super::returns::ReturnPath;
use crate::control::refusal::{Kind, Refusal};
use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    let Ok(text) = page.render() else {
        return guarded(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    let mut response = guarded((status, text).into_response());
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// With what every answer here has.
pub(super) fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value))
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Codes and states are in URLs here.
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_FRAME_OPTIONS, "DENY");
    response
}

/// On to another address. 303: whatever was sent here is not sent there.
pub(super) fn onward(to: &str, cookies: impl IntoIterator<Item = Option<HeaderValue>>) -> Response {
    let Ok(to) = HeaderValue::try_from(to) else {
        return guarded(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    let mut response = guarded(StatusCode::SEE_OTHER.into_response());
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, to);
    for cookie in cookies.into_iter().flatten() {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Says why signing in did not work, and how to begin again.
pub(super) fn not_signed_in(refusal: &Refusal, to: &ReturnPath, fresh: bool) -> Response {
    let status =
        StatusCode::from_u16(refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let again = login_path(to, fresh);
    let (head, again, action) = match refusal.kind {
        Kind::Unavailable => ("Signing in does not work now", again.as_str(), "Try again"),
        Kind::TooMany => ("Too many sign-ins", again.as_str(), "Try again"),
        Kind::StepUp => ("That was not enough", again.as_str(), "Sign in again"),
        _ => ("You are not signed in", again.as_str(), "Begin again"),
    };
    let mut response = page(
        status,
        &NotSignedIn {
            head,
            detail: &refusal.detail,
            again,
            action,
            reason: refusal.reason,
        },
    );
    if matches!(refusal.kind, Kind::TooMany | Kind::Unavailable) {
        let wait = HeaderValue::from_static("60");
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}

/// Where signing in begins.
pub(super) fn login_path(to: &ReturnPath, fresh: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", to.as_str());
    if fresh {
        query.append_pair("fresh", "1");
    }
    format!("/login?{}", query.finish())
}
