//! What a refused client is told: what was not done, which rule, what to do next, which exchange to quote.
//! The log and the record hold more; nothing internal is in here.

mod page;

use super::own;
use crate::model::{Decision, ExchangeId, Findings, Reason};
use http::header::{ACCEPT, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;
use std::sync::Arc;

pub use page::CSS;

/// Where the portal takes a request for what was refused.
#[derive(Clone, Debug)]
pub struct Elevation(pub String);

/// A refusal, before it is given a form. `reason` is the name in records and metrics.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub reason: &'static str,
    /// What was not done, as a sentence without its full stop.
    pub title: Cow<'static, str>,
    /// Why, and what to do.
    pub detail: Cow<'static, str>,
    /// The policy row that decided.
    pub rule: Option<Arc<str>>,
    /// The methods that there are instead.
    pub allow: Option<&'static str>,
    pub elevation: Option<Box<Elevation>>,
}

impl Refusal {
    pub fn new(
        status: StatusCode,
        reason: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            reason,
            title: title.into(),
            detail: detail.into(),
            rule: None,
            allow: None,
            elevation: None,
        }
    }

    /// 400: two parsers could read it differently.
    pub fn ambiguous(reason: Reason) -> Self {
        let detail = format!("{} Nothing was sent to the app. ({reason})", reason.words());
        Self::new(
            StatusCode::BAD_REQUEST,
            reason.name(),
            "This request can be read in more than one way",
            detail,
        )
    }

    /// The refusal for the first of `findings`; `None` where there is none.
    pub fn findings(findings: Findings) -> Option<Self> {
        let reason = findings.first()?;
        let status = StatusCode::from_u16(crate::proxy::canonical::status(findings))
            .unwrap_or(StatusCode::BAD_REQUEST);
        Some(Self {
            status,
            ..Self::ambiguous(reason)
        })
    }

    /// 401: nothing shows that a support session stands behind it.
    pub fn unauthenticated(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            reason,
            "No support session is active here",
            detail,
        )
    }

    /// 403: the policy's no.
    pub fn forbidden(decision: &Decision) -> Self {
        let title = match &decision.message {
            Some(words) => Cow::Owned(words.trim_end_matches('.').to_owned()),
            None if &*decision.action == "unlisted" => {
                "This page or action is not part of any support session".into()
            }
            None => format!("“{}” is not part of this session", decision.action).into(),
        };
        let detail = format!(
            "The rule “{}” decided. Nothing was sent to the app.",
            decision.rule
        );
        Self {
            status: StatusCode::FORBIDDEN,
            reason: "policy",
            title,
            detail: detail.into(),
            rule: Some(Arc::clone(&decision.rule)),
            allow: None,
            elevation: None,
        }
    }

    /// 413, 414, 431: a named limit.
    pub fn too_big(
        status: StatusCode,
        reason: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(status, reason, "This request is too large", detail)
    }

    /// 503: what must work for a request to be defensible does not.
    pub fn unavailable(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            reason,
            "Support sessions are paused",
            detail,
        )
    }

    /// 502, 503 or 504: the app's side.
    pub fn upstream(
        status: StatusCode,
        reason: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(status, reason, "The app did not answer", detail)
    }
}

/// Whether the one who asks is a person's browser going to a page (RFC 9110 §12.5.1; Fetch Metadata).
pub fn wants_page(headers: &HeaderMap) -> bool {
    const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SEC_FETCH_DEST) {
        Some("document" | "iframe" | "frame") => true,
        Some(_) => false,
        None => text(ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    }
}

/// RFC 9457. The same facts as the page.
pub fn problem(refusal: &Refusal, exchange: ExchangeId) -> Response<String> {
    let mut body = serde_json::json!({
        "type": format!("urn:locum:refusal:{}", refusal.reason),
        "title": refusal.title,
        "status": refusal.status.as_u16(),
        "detail": refusal.detail,
        "instance": format!("urn:locum:exchange:{exchange}"),
        "rule": refusal.rule.as_deref(),
        "exchange": exchange.to_string(),
    });
    if let (Some(elevation), Some(body)) = (&refusal.elevation, body.as_object_mut()) {
        body.insert("elevation".to_owned(), elevation.0.as_str().into());
    }
    with_headers(refusal, "application/problem+json", body.to_string())
}

/// The page for a person. `way_back`: whether there is a session to go back to.
pub fn page(refusal: &Refusal, exchange: ExchangeId, scopes: Option<&str>) -> Response<String> {
    with_headers(
        refusal,
        "text/html; charset=utf-8",
        page::refusal(refusal, exchange, scopes),
    )
}

fn with_headers(refusal: &Refusal, content_type: &'static str, body: String) -> Response<String> {
    let mut response = own::typed(refusal.status, content_type, body);
    let headers = response.headers_mut();
    if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    if let Some(allow) = refusal.allow {
        // RFC 9110 §15.5.6: a 405 must say what there is.
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if refusal.status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §15.5.2 wants a challenge.
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"locum\""),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        Decision {
            effect: crate::model::Effect::Deny,
            rule: "pack.mfa-reset".into(),
            action: "mfa.reset".into(),
            resource: "".into(),
            tier: crate::model::Tier::Privileged,
            message: Some("Resetting MFA is not part of <this> session".into()),
        }
    }

    #[test]
    fn the_page_names_rule_and_exchange_and_escapes() {
        let id = ExchangeId::fresh();
        let page = page(&Refusal::forbidden(&decision()), id, Some("view"));
        assert_eq!(page.status(), StatusCode::FORBIDDEN);
        for part in ["pack.mfa-reset", &id.to_string(), "&lt;this&gt;"] {
            assert!(page.body().contains(part), "{part}");
        }
        assert!(!page.body().contains("<this>"));
    }

    #[test]
    fn problems_follow_rfc_9457() -> Result<(), serde_json::Error> {
        let response = problem(&Refusal::forbidden(&decision()), ExchangeId::fresh());
        let body: serde_json::Value = serde_json::from_str(response.body())?;
        assert_eq!(body["status"], 403);
        assert_eq!(body["rule"], "pack.mfa-reset");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        Ok(())
    }

    #[test]
    fn pages_are_for_navigations_only() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("sec-fetch-dest", "document")], true),
            (
                &[("sec-fetch-dest", "empty"), ("accept", "text/html")],
                false,
            ),
            (&[("accept", "text/html,*/*;q=0.8")], true),
            (&[("accept", "*/*")], false),
            (&[], false),
        ];
        for (given, want) in cases {
            let headers: HeaderMap = given
                .iter()
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
                .collect::<Vec<(header::HeaderName, HeaderValue)>>()
                .into_iter()
                .collect();
            assert_eq!(wants_page(&headers), *want, "{given:?}");
        }
    }
}
