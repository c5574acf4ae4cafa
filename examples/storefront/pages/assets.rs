//! Files that are the same for everybody, with `ETag`, and one large one with ranges.

use super::transfer::generated;
use crate::store::password::sha256_hex;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const CACHE: &str = "public, max-age=60";

/// Size of `/static/big.bin`, in bytes.
const BIG: u64 = 8 * 1024 * 1024;
const BIG_TAG: &str = "\"big-1\"";

macro_rules! files {
    ($($name:literal => $kind:expr,)*) => {
        [$(($name, $kind, include_str!(concat!("../static/", $name))),)*]
    };
}

const FILES: [(&str, &str, &str); 14] = files![
    "shop.css" => CSS,
    "shop.js" => JS,
    "app.js" => JS,
    "live.js" => JS,
    "icon.svg" => SVG,
    "hero.svg" => SVG,
    "mug.svg" => SVG,
    "blanket.svg" => SVG,
    "lamp.svg" => SVG,
    "board.svg" => SVG,
    "pan.svg" => SVG,
    "kettle.svg" => SVG,
    "apron.svg" => SVG,
    "jar.svg" => SVG,
];

/// `GET /static/{file}`.
pub(crate) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or(Problem::NotFound)?;
    let sum = sha256_hex(text.as_bytes());
    let tag = format!("\"{}\"", sum.get(..16).unwrap_or(&sum));
    let about = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, CACHE.into()),
    ];
    if has_seen(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    Ok((about, [(header::CONTENT_TYPE, *kind)], *text).into_response())
}

/// RFC 9110 §13.1.2.
fn has_seen(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    given.is_some_and(|given| {
        given
            .split(',')
            .any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == tag)
    })
}

/// `GET /static/big.bin`: 8 MiB, whole or one range (RFC 9110 §14).
pub(crate) async fn big(headers: HeaderMap) -> Response {
    let about = [
        (header::ETAG, BIG_TAG),
        (header::CACHE_CONTROL, CACHE),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, "application/octet-stream"),
    ];
    if has_seen(&headers, BIG_TAG) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    let holds = text(header::IF_RANGE).is_none_or(|tag| tag == BIG_TAG);
    let wanted = text(header::RANGE).filter(|_| holds);
    match wanted
        .and_then(|range| range.strip_prefix("bytes="))
        .map(range)
    {
        None | Some(Wanted::Whole) => {
            let length = [(header::CONTENT_LENGTH, BIG)];
            (
                about,
                length.map(|(name, n)| (name, n.to_string())),
                generated(0, BIG),
            )
                .into_response()
        }
        Some(Wanted::Part(first, last)) => {
            let part = [
                (header::CONTENT_LENGTH, (last - first + 1).to_string()),
                (header::CONTENT_RANGE, format!("bytes {first}-{last}/{BIG}")),
            ];
            let body = generated(first, last - first + 1);
            (StatusCode::PARTIAL_CONTENT, about, part, body).into_response()
        }
        Some(Wanted::Nothing) => {
            let size = [(header::CONTENT_RANGE, format!("bytes */{BIG}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, size, Body::empty()).into_response()
        }
    }
}

enum Wanted {
    /// Not understood, or several ranges: RFC 9110 §14.2 lets a server ignore it.
    Whole,
    /// First and last byte.
    Part(u64, u64),
    /// Beyond the end.
    Nothing,
}

fn range(spec: &str) -> Wanted {
    let Some((first, last)) = spec.split_once('-') else {
        return Wanted::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if first >= BIG => Wanted::Nothing,
        (Ok(first), Ok(last)) if first <= last => Wanted::Part(first, last.min(BIG - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Wanted::Part(first, BIG - 1),
        (Err(_), Ok(0)) if first.is_empty() => Wanted::Nothing,
        (Err(_), Ok(n)) if first.is_empty() => Wanted::Part(BIG.saturating_sub(n), BIG - 1),
        _ => Wanted::Whole,
    }
}
