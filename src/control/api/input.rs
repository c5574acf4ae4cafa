//! What a call brings, read before anything is done: its body, query, path, and the headers that make it conditional.

use super::problem::Problem;
use super::state::Api;
use super::text::Within;
use crate::model::Caller;
use crate::telemetry::metrics::Limit;
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};

/// How much of a list: 1 to 200.
pub(super) type PageSize = Within<1, 200>;
/// What a list holds where nobody says.
pub(super) const PAGE: usize = 50;

/// Who calls. Only the gate puts it there.
pub(super) struct Signed(pub Caller);

impl FromRequestParts<Arc<Api>> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Self).ok_or_else(|| {
            let detail = "Sign in: this call says nothing of who makes it.";
            Problem::http(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
        })
    }
}

/// A JSON body, and the digest of its bytes.
pub(super) struct Said<T> {
    pub value: T,
    pub digest: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Said<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::http(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "Send JSON, with Content-Type: application/json.",
            ));
        }
        let settings = api.settings.load();
        let read = axum::body::to_bytes(request.into_body(), settings.max_body);
        let bytes = match tokio::time::timeout(settings.body_timeout, read).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(why)) => return Err(unread(api, &why, settings.max_body)),
            Err(_) => {
                api.metrics.hit(Limit::ApiBodyTimeout);
                return Err(Problem::http(
                    StatusCode::REQUEST_TIMEOUT,
                    "body-timeout",
                    "The body took too long to come.",
                ));
            }
        };
        let digest = hex(&bytes);
        // A list would be taken for the members in their order.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(Problem::unreadable(
                "body",
                "it is a list, and not an object",
            ));
        }
        let Json(value) = Json::from_bytes(&bytes).map_err(|why| unfit(&why))?;
        Ok(Self { value, digest })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE);
    let named = named.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let media = named.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// A body that did not come whole: too long, or cut.
fn unread(api: &Api, why: &axum::Error, most: usize) -> Problem {
    let too_long = why
        .source()
        .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
    if too_long {
        api.metrics.hit(Limit::ApiBody);
        let detail = format!("The body is longer than {most} bytes.");
        return Problem::http(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail);
    }
    Problem::http(
        StatusCode::BAD_REQUEST,
        "unreadable",
        "The body did not come whole.",
    )
}

/// JSON that is none, or is not of this call's form.
fn unfit(why: &axum::extract::rejection::JsonRejection) -> Problem {
    use axum::extract::rejection::JsonRejection;
    let told = why.source().map(ToString::to_string).unwrap_or_default();
    match why {
        JsonRejection::JsonDataError(_) => {
            let (field, message) = told.split_once(": ").unwrap_or((".", &told));
            let field = match field {
                "." | "?" => "body",
                field => field,
            };
            let problems = vec![crate::control::refusal::Problem {
                field: field.to_owned(),
                message: message.to_owned(),
            }];
            crate::control::refusal::Refusal::invalid(problems).into()
        }
        _ => Problem::unreadable("body", told),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = String::with_capacity(64);
    for byte in digest.as_ref() {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The query.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(why) => Err(Problem::unreadable("query", why.body_text())),
        }
    }
}

/// The id in the path. One that is none names nothing.
pub(super) struct Named<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Api>> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, api).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::of_status(StatusCode::NOT_FOUND)),
        }
    }
}

/// `If-Match`: the version that the caller saw. `None`: whatever is there.
pub(super) struct IfMatch(pub Option<i64>);

const ENTITY_TAG: &str = r#"^(W/)?"[!#-~]{0,64}"$"#;

impl FromRequestParts<Arc<Api>> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        match single(&parts.headers, "if-match")? {
            None | Some("*") => Ok(Self(None)),
            Some(tag) => match version(tag) {
                Some(version) => Ok(Self(Some(version))),
                None => Err(Problem::unreadable(
                    "If-Match",
                    "is no entity tag: send the ETag of what you read",
                )),
            },
        }
    }
}

/// The version of an entity tag (RFC 9110 §8.8.3): -1, which nothing has, for a weak or foreign one.
fn version(tag: &str) -> Option<i64> {
    let (weak, opaque) = match tag.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let opaque = opaque.strip_prefix('"')?.strip_suffix('"')?;
    let good = |b: u8| b == b'!' || (b'#'..=b'~').contains(&b);
    if opaque.len() > 64 || !opaque.bytes().all(good) {
        return None;
    }
    let is_ours = !weak && !opaque.starts_with(['+', '-']);
    Some(opaque.parse().ok().filter(|_| is_ours).unwrap_or(-1))
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let schema = AnyOfBuilder::new()
            .item(text().enum_values(Some(["*"])))
            .item(text().pattern(Some(ENTITY_TAG)));
        vec![in_header(
            "If-Match",
            "Only if the ETag is still this: otherwise 412, and nothing is changed.",
            schema,
        )]
    }
}

/// `Idempotency-Key`: the same call once, however often it is sent.
pub(super) struct Key(pub Option<String>);

impl FromRequestParts<Arc<Api>> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let key = single(&parts.headers, "idempotency-key")?;
        if key.is_some_and(|key| !(1..=128).contains(&key.len())) {
            return Err(Problem::unreadable(
                "Idempotency-Key",
                "has 1 to 128 printable ASCII characters",
            ));
        }
        Ok(Self(key.map(str::to_owned)))
    }
}

impl IntoParams for Key {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // A space at either end would not survive the wire (RFC 9110 §5.5).
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[!-~]{1,128}$"));
        vec![in_header(
            "Idempotency-Key",
            "Sent again with the same body, the call is not done again: its answer is.",
            schema,
        )]
    }
}

fn in_header(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// A header that may stand once, in visible ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next(), values.next());
    let Some(first) = first else {
        return Ok(None);
    };
    let text = first
        .to_str()
        .ok()
        .filter(|it| it.bytes().all(|b| b.is_ascii_graphic()));
    match (text, more) {
        (Some(text), None) => Ok(Some(text)),
        (_, Some(_)) => Err(Problem::unreadable(name, "stands more than once")),
        (None, None) => Err(Problem::unreadable(
            name,
            "has other than visible ASCII characters",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_and_only_strong_ones_of_ours_match() {
        let tags = [
            (r#""7""#, Some(7)),
            (r#"W/"7""#, Some(-1)),
            (r#""+7""#, Some(-1)),
            (r#""abc""#, Some(-1)),
            (r#""""#, Some(-1)),
            ("7", None),
            (r#""7"#, None),
            (r#""a"b""#, None),
        ];
        for (tag, expected) in tags {
            assert_eq!(version(tag), expected, "{tag}");
        }
    }

    #[test]
    fn only_json_is_read() {
        let named = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(value));
            is_json(&headers)
        };
        assert!(named("application/json"));
        assert!(named("Application/JSON; charset=utf-8"));
        assert!(!named("text/plain"));
        assert!(!named("application/jsonp"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
