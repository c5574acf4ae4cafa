//! Which answers carry the banner: decided from the request's and the response's heads alone.

use super::html::Part;
use super::{Prepared, RewriteError, Settings, Stream, csp, headers};
use crate::proxy::rewrite::encoding::{self, Coding, UnknownCoding};
use encoding_rs::Encoding;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, StatusCode};
use std::fmt;
use std::sync::Arc;

/// What kind of document the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Html,
    Xhtml,
    /// XML that a browser shows as a page if its root is XHTML's.
    Xml,
    /// No usable content type: the first bytes decide, as in a browser.
    Sniff,
}

/// Whether an answer carries the banner.
#[derive(Clone, Debug, PartialEq)]
pub enum Carry {
    /// It goes on as it is.
    No,
    /// It is a document: head and body change by the plan.
    Yes(Plan),
    /// It is a document that cannot carry the banner: refuse it with 502.
    Refuse(Unfit),
}

/// Why a document cannot carry the banner. Whose fault: the app's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A part of a document (206), though none was asked for.
    Partial,
    /// Replaced piece by piece (`multipart/x-mixed-replace`).
    Multipart,
    /// A content coding that cannot be undone.
    Coding(UnknownCoding),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partial => f.write_str(
                "the app answered a page with a part of it, which cannot carry the banner",
            ),
            Self::Multipart => {
                f.write_str("the app answered with a multipart page, which cannot carry the banner")
            }
            Self::Coding(_) => {
                f.write_str("the app answered in a content coding that it was not asked for")
            }
        }
    }
}

impl std::error::Error for Unfit {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Coding(cause) => Some(cause),
            _ => None,
        }
    }
}

/// How one document is rewritten.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub kind: Kind,
    pub part: Part,
    /// From the content type; decides over what the document says of itself.
    pub charset: Option<&'static Encoding>,
    /// Codings to undo, in the order in which they were applied.
    pub decode: Vec<Coding>,
    /// The coding to apply again.
    pub encode: Option<Coding>,
    /// Whether the response's policies let scripts run (CSP `sandbox` may not).
    pub(super) runs_scripts: bool,
    /// The media type that counted, where several were sent.
    pub(super) content_type: Option<String>,
}

impl Plan {
    /// Makes the response's head hold for the rewritten body.
    pub fn adjust_headers(&self, response: &mut HeaderMap, prepared: &Prepared) {
        headers::adjust(self, response, prepared);
    }

    /// The rewriting of the body.
    ///
    /// # Errors
    /// Where a coding's library cannot be set up.
    pub fn stream(
        self,
        prepared: Arc<Prepared>,
        settings: &Settings,
    ) -> Result<Stream, RewriteError> {
        Stream::new(self, prepared, settings)
    }
}

/// Headers by which scripts that fetch fragments say who they are.
const SCRIPTS: &[&str] = &[
    "x-requested-with",
    "hx-request",
    "turbo-frame",
    "x-turbo-request-id",
    "x-pjax",
    "x-inertia",
    "x-up-version",
    "next-action",
    "rsc",
];

/// What the request fetches its answer for.
fn destination(request: &HeaderMap) -> Option<Part> {
    if let Some(dest) = request.get("sec-fetch-dest") {
        // Fetch Metadata: set by the browser, out of scripts' reach.
        return match dest.as_bytes() {
            b"document" => Some(Part::Document),
            b"iframe" | b"frame" | b"embed" | b"object" | b"fencedframe" => Some(Part::Frame),
            _ => None,
        };
    }
    // Browsers send no Fetch Metadata to plain http, old ones never: there, navigations ask for HTML by name, and
    // scripts that fetch fragments do not, or say who they are.
    if SCRIPTS.iter().any(|name| request.contains_key(*name)) {
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
    let is = |name: &str, want: &str| {
        request
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(want.as_bytes()))
    };
    is("sec-fetch-dest", "serviceworker") || is("service-worker", "script")
}

/// The last media type that can be read (Fetch Standard, "extract a MIME type"), lower case, without parameters;
/// and the charset beside it.
fn media_type(response: &HeaderMap) -> Option<(String, Option<&'static Encoding>)> {
    let mut last = None;
    for value in response.get_all(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for part in text.split(',') {
            let mut pieces = part.split(';');
            let essence = pieces.next().unwrap_or_default().trim();
            let is_type = essence
                .split_once('/')
                .is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
            if !is_type || essence == "*/*" {
                continue;
            }
            let charset = pieces.find_map(|piece| {
                let label = piece
                    .trim()
                    .strip_prefix("charset=")?
                    .trim()
                    .trim_matches(['"', '\'']);
                Encoding::for_label(label.as_bytes())
            });
            last = Some((essence.to_owned(), charset));
        }
    }
    last
}

fn is_download(response: &HeaderMap) -> bool {
    response.get(CONTENT_DISPOSITION).is_some_and(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        text.split(';').next().unwrap_or_default().trim() == "attachment"
    })
}

fn kind(essence: Option<&str>, response: &HeaderMap) -> Option<Kind> {
    let is_nosniff = response.get(X_CONTENT_TYPE_OPTIONS).is_some_and(|value| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"nosniff")
    });
    match essence {
        Some("text/html") => Some(Kind::Html),
        Some("application/xhtml+xml") => Some(Kind::Xhtml),
        Some("image/svg+xml") => None,
        Some("text/xml" | "application/xml") => Some(Kind::Xml),
        Some(other) if other.ends_with("+xml") => Some(Kind::Xml),
        None | Some("unknown/unknown" | "application/unknown") if !is_nosniff => Some(Kind::Sniff),
        _ => None,
    }
}

/// Whether the answer to this request carries the banner, and how.
pub fn applies(
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    settings: &Settings,
) -> Carry {
    let has_no_body = *method == Method::HEAD
        || *method == Method::CONNECT
        || status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
    let Some(part) = destination(request).filter(|_| !has_no_body && !is_download(response)) else {
        return Carry::No;
    };
    let found = media_type(response);
    let essence = found.as_ref().map(|(essence, _)| essence.as_str());
    if essence.is_some_and(|essence| essence == "multipart/x-mixed-replace") {
        return Carry::Refuse(Unfit::Multipart);
    }
    let Some(kind) = kind(essence, response) else {
        return Carry::No;
    };
    if status == StatusCode::PARTIAL_CONTENT && matches!(kind, Kind::Html | Kind::Xhtml) {
        return Carry::Refuse(Unfit::Partial);
    }
    let decode = match encoding::applied(response, settings.max_codings) {
        Ok(codings) => codings,
        Err(cause) if matches!(kind, Kind::Html | Kind::Xhtml) => {
            return Carry::Refuse(Unfit::Coding(cause));
        }
        Err(_) => return Carry::No,
    };
    let encode = if decode.is_empty() || !settings.reencode {
        None
    } else {
        [Coding::Gzip, Coding::Zstd, Coding::Brotli]
            .into_iter()
            .find(|coding| encoding::accepts(request, *coding))
    };
    Carry::Yes(Plan {
        kind,
        part,
        charset: found.as_ref().and_then(|(_, charset)| *charset),
        decode,
        encode,
        runs_scripts: !csp::sandboxes_scripts(response),
        content_type: found.map(|(essence, _)| essence),
    })
}
