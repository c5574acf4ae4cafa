//! Which answers carry the banner: decided from the request's and the response's heads alone.

use super::navigation::destination;
use super::plan::{Kind, Part, Plan};
use super::{Settings, csp};
use crate::proxy::rewrite::encoding::{self, Coding, UnknownCoding};
use encoding_rs::Encoding;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::fmt;

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

/// Makes the head of an answer that carries no banner say what was decided by. Several types become the one that
/// counted; what could be shown as a document is not taken from a cache for one; and an SVG picture that is gone to
/// as a page runs no scripts, with which it could play a page of the app.
pub fn without(request: &HeaderMap, response: &mut HeaderMap) {
    if is_never_a_document(response) {
        return;
    }
    let found = media_type(response);
    let types = response.get_all(CONTENT_TYPE);
    let is_many =
        types.iter().count() > 1 || types.iter().any(|one| one.as_bytes().contains(&b','));
    let essence = found.as_ref().map(|(essence, _)| essence.as_str());
    if kind(essence, response).is_some() {
        let by = HeaderValue::from_static("Sec-Fetch-Dest, Accept");
        response.append(VARY, by);
    }
    if essence == Some("image/svg+xml") && destination(request) == Some(Part::Document) {
        let policy = HeaderValue::from_static("sandbox");
        response.append(CONTENT_SECURITY_POLICY, policy);
    }
    if let Some((essence, charset)) = found.filter(|_| is_many) {
        let text = match charset {
            Some(charset) => format!("{essence}; charset={}", charset.name()),
            None => essence,
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            response.insert(CONTENT_TYPE, value);
        }
    }
}

/// Types of most answers, none of which a browser shows as a document of the app.
const NO_DOCUMENTS: [&[u8]; 14] = [
    b"application/json",
    b"text/css",
    b"text/javascript",
    b"application/javascript",
    b"application/octet-stream",
    b"text/plain",
    b"image/png",
    b"image/jpeg",
    b"image/webp",
    b"image/gif",
    b"font/woff2",
    b"text/event-stream",
    b"application/pdf",
    b"video/mp4",
];

/// Whether the one type that is stated, in its plain form, says at once what reading it in full would: no document,
/// and nothing to settle about it.
fn is_never_a_document(response: &HeaderMap) -> bool {
    let mut types = response.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let text = only.as_bytes();
    let essence = memchr::memchr(b';', text).map_or(text, |end| text.get(..end).unwrap_or(text));
    // A comma makes a list of it, and a quote could hide one.
    memchr::memchr2(b',', b'"', text).is_none() && NO_DOCUMENTS.contains(&essence)
}

/// The last media type that can be read (Fetch Standard, "extract a MIME type"), lower case, without parameters;
/// and the charset beside it.
fn media_type(response: &HeaderMap) -> Option<(String, Option<&'static Encoding>)> {
    let mut last = None;
    for value in response.get_all(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for part in unquoted_commas(&text) {
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

/// The members of a list, whose quoted strings may hold commas (RFC 9110 §5.6.4).
fn unquoted_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
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
        // Browsers parse `text/xsl` as XML too.
        Some("text/xml" | "application/xml" | "text/xsl") => Some(Kind::Xml),
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
    if has_no_body || is_never_a_document(response) {
        return Carry::No;
    }
    let Some(part) = destination(request).filter(|_| !is_download(response)) else {
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
    if status == StatusCode::PARTIAL_CONTENT {
        return Carry::Refuse(Unfit::Partial);
    }
    let decode = match encoding::applied(response, settings.max_codings) {
        Ok(codings) => codings,
        // A browser may know the coding, and sniff a document behind it.
        Err(cause) => return Carry::Refuse(Unfit::Coding(cause)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in pairs {
            all.append(*name, HeaderValue::from_static(value));
        }
        all
    }

    fn navigated(status: u16, response: &[(&'static str, &'static str)]) -> Carry {
        let request = headers(&[("sec-fetch-dest", "document")]);
        let status = StatusCode::from_u16(status).unwrap_or_default();
        applies(
            &Method::GET,
            &request,
            status,
            &headers(response),
            &Settings::default(),
        )
    }

    #[test]
    fn what_a_browser_shows_as_a_page_is_never_passed_bare() {
        for response in [
            &[("content-type", "text/html")][..],
            &[("content-type", "TEXT/HTML;charset=utf-8")],
            &[("content-type", "text/html; a=\",text/plain\"")],
            &[
                ("content-type", "text/plain"),
                ("content-type", "text/html"),
            ],
            &[("content-type", "text/plain, text/html")],
            &[("content-type", "text/xsl")],
            &[("content-type", "application/atom+xml")],
            &[("content-type", "nonsense")],
            &[],
        ] {
            assert!(
                matches!(navigated(200, response), Carry::Yes(_)),
                "{response:?}"
            );
        }
        for response in [
            &[("content-encoding", "dcb")][..],
            &[("content-type", "text/xml"), ("content-encoding", "dcb")],
        ] {
            assert!(
                matches!(navigated(200, response), Carry::Refuse(_)),
                "{response:?}"
            );
        }
        assert!(matches!(navigated(206, &[]), Carry::Refuse(_)));
    }

    /// Looking at the type alone says what looking at everything says.
    #[test]
    fn the_short_way_says_what_the_long_one_does() {
        for essence in NO_DOCUMENTS {
            let text = std::str::from_utf8(essence).expect("ASCII");
            assert_eq!(kind(Some(text), &HeaderMap::new()), None, "{text}");
            assert_ne!(text, "image/svg+xml");
            for (value, is_short) in [
                (text.to_owned(), true),
                (format!("{text}; charset=utf-8"), true),
                (format!("{text}, text/html"), false),
                (format!("text/html, {text}"), false),
                (format!("{text};a=\"\", text/html"), false),
                (text.to_ascii_uppercase(), false),
                (format!("{text} "), true),
            ] {
                let mut response = HeaderMap::new();
                let value = HeaderValue::try_from(value.trim()).expect("a value");
                response.insert(CONTENT_TYPE, value);
                assert_eq!(is_never_a_document(&response), is_short, "{response:?}");
                response.append(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                assert!(!is_never_a_document(&response), "{response:?}");
            }
        }
        assert!(!is_never_a_document(&HeaderMap::new()));
    }

    #[test]
    fn the_head_of_a_bare_answer_says_what_was_decided_by() {
        let request = headers(&[("sec-fetch-dest", "empty")]);
        let mut response = headers(&[("content-type", "text/html, text/plain; charset=utf-8")]);
        without(&request, &mut response);
        assert_eq!(response[CONTENT_TYPE], "text/plain; charset=UTF-8");
        let mut page = headers(&[("content-type", "text/html")]);
        without(&request, &mut page);
        assert_eq!(page[VARY], "Sec-Fetch-Dest, Accept");
    }

    #[test]
    fn a_picture_that_is_gone_to_plays_no_page() {
        let svg = headers(&[("content-type", "image/svg+xml")]);
        for (dest, is_shut) in [("document", true), ("image", false), ("object", false)] {
            let mut response = svg.clone();
            let mut request = HeaderMap::new();
            request.insert("sec-fetch-dest", HeaderValue::from_static(dest));
            without(&request, &mut response);
            assert_eq!(
                response.contains_key(CONTENT_SECURITY_POLICY),
                is_shut,
                "{dest}"
            );
        }
    }
}
