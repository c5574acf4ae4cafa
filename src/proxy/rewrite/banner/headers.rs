//! What the heads of request and response say, made to hold for a rewritten document.

use super::csp;
use super::navigation::is_navigation;
use super::plan::{Kind, Plan};
use super::prepared::Prepared;
use crate::proxy::canonical::remove_named;
use crate::proxy::rewrite::encoding;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use http::{HeaderMap, HeaderValue};

/// What a rewritten body no longer answers to (RFC 9110 §8.8, RFC 9530, RFC 1864), and its coding.
fn is_stale(name: &str) -> bool {
    matches!(
        name,
        "content-length"
            | "content-encoding"
            | "accept-ranges"
            | "etag"
            | "last-modified"
            | "content-md5"
            | "digest"
            | "content-digest"
            | "repr-digest"
            | "content-range"
    )
}

/// What asks for a part of a document, for none if it is known, or for a form of it that cannot be undone here.
fn is_no_whole_document(name: &str) -> bool {
    matches!(
        name,
        "range" | "if-range" | "if-none-match" | "if-modified-since" | "if-match" | "if-unmodified-since"
            // RFC 9842: a dictionary that only the browser has.
            | "available-dictionary" | "dictionary-id" | "a-im" | "want-content-digest" | "want-repr-digest"
    )
}

/// Asks the app for a whole document in a coding that can be undone. Leaves requests that do not navigate alone.
/// Call it on the request that goes upstream, before it is sent.
pub fn adjust_request(request: &mut HeaderMap) {
    if !is_navigation(request) {
        return;
    }
    remove_named(request, is_no_whole_document);
    if request.contains_key(ACCEPT_ENCODING) {
        request.insert(
            ACCEPT_ENCODING,
            HeaderValue::from_static(encoding::ACCEPTED),
        );
    }
}

impl Plan {
    /// Makes the response's head hold for the rewritten body.
    pub fn adjust_headers(&self, response: &mut HeaderMap, prepared: &Prepared) {
        adjust(self, response, prepared);
    }
}

fn adjust(plan: &Plan, response: &mut HeaderMap, prepared: &Prepared) {
    remove_named(response, is_stale);
    if let Some(coding) = plan.encode {
        response.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    content_type(plan, response);
    // The same URL fetched by a script has no banner: a cache must not mix them up.
    response.append(
        VARY,
        HeaderValue::from_static("Sec-Fetch-Dest, Accept, Accept-Encoding"),
    );
    let policies: Vec<HeaderValue> = response
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .cloned()
        .collect();
    if policies.is_empty() {
        return;
    }
    response.remove(CONTENT_SECURITY_POLICY);
    for policy in policies {
        let extended = policy
            .to_str()
            .ok()
            .and_then(|text| csp::extend(text, prepared.needs()));
        let value = extended
            .and_then(|text| HeaderValue::try_from(text).ok())
            .unwrap_or(policy);
        response.append(CONTENT_SECURITY_POLICY, value);
    }
}

/// One media type instead of several, and UTF-8 where the document is transcoded.
fn content_type(plan: &Plan, response: &mut HeaderMap) {
    let transcodes = plan
        .charset
        .is_some_and(|encoding| !encoding.is_ascii_compatible());
    let is_many = response.get_all(CONTENT_TYPE).iter().count() > 1
        || response
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().contains(&b','));
    let Some(essence) = plan
        .content_type
        .as_deref()
        .filter(|_| plan.kind != Kind::Sniff)
    else {
        return;
    };
    if !transcodes && !is_many {
        return;
    }
    let text = match plan.charset {
        Some(encoding) if encoding.is_ascii_compatible() => {
            format!("{essence}; charset={}", encoding.name())
        }
        Some(_) => format!("{essence}; charset=utf-8"),
        None => essence.to_owned(),
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        response.insert(CONTENT_TYPE, value);
    }
}
