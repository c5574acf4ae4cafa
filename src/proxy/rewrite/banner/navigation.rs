//! What a request fetches its answer for: a document, a frame, a service worker, or none of these.

use super::plan::Part;
use http::HeaderMap;
use http::header::{ACCEPT, HeaderName};

/// Headers by which scripts that fetch fragments say who they are.
fn is_script(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "x-requested-with"
            | "hx-request"
            | "turbo-frame"
            | "x-turbo-request-id"
            | "x-pjax"
            | "x-inertia"
            | "x-up-version"
            | "next-action"
            | "rsc"
    )
}

/// Fetch Metadata: what the browser fetches for.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// What the request fetches its answer for.
pub(super) fn destination(request: &HeaderMap) -> Option<Part> {
    if let Some(dest) = request.get(SEC_FETCH_DEST) {
        // Fetch Metadata: set by the browser, out of scripts' reach.
        return match dest.as_bytes() {
            b"document" => Some(Part::Document),
            b"iframe" | b"frame" | b"embed" | b"object" | b"fencedframe" => Some(Part::Frame),
            _ => None,
        };
    }
    // Browsers send no Fetch Metadata to plain http, old ones never: there, navigations ask for HTML by name, and
    // scripts that fetch fragments do not, or say who they are.
    if request.keys().any(is_script) {
        return None;
    }
    let asks = request.get_all(ACCEPT).iter().any(|value| {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let mut types = text
            .split(',')
            .map(|part| part.split(';').next().unwrap_or_default().trim());
        types.any(|essence| essence == "text/html" || essence == "application/xhtml+xml")
    });
    asks.then_some(Part::Document)
}

/// Whether the request navigates: its answer may be a document, so it must be asked for in a form that can carry
/// the banner (see [`super::adjust_request`]).
pub fn is_navigation(request: &HeaderMap) -> bool {
    destination(request).is_some()
}

/// Whether the request fetches a service worker, whose cached documents would carry no banner: answer it with
/// [`super::SERVICE_WORKER`] instead.
pub fn is_service_worker(request: &HeaderMap) -> bool {
    let is = |name: HeaderName, want: &str| {
        request
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(want.as_bytes()))
    };
    is(SEC_FETCH_DEST, "serviceworker") || is(SERVICE_WORKER, "script")
}
