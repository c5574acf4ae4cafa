//! gzip for pages, where the client takes it.

use super::problem::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// The shop's own pages are far smaller; what is larger would be a defect.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// Middleware for routes whose responses are small and whole.
pub(crate) async fn gzip(request: Request, next: Next) -> Result<Response, Problem> {
    let wanted = request.method() != Method::HEAD && takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let vary = HeaderValue::from_static("accept-encoding");
    response.headers_mut().append(header::VARY, vary);
    let has_body = response.status().is_success() && response.status() != 204;
    if !wanted || !has_body || response.headers().contains_key(header::CONTENT_RANGE) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let plain = to_bytes(body, MAX_PAGE)
        .await
        .map_err(|why| Problem::Internal(why.into()))?;
    let mut packed = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::fast());
    let packed = packed.write_all(&plain).and_then(|()| packed.finish());
    let packed = packed.map_err(|why| Problem::Internal(why.into()))?;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
        .headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(Response::from_parts(parts, Body::from(packed)))
}

/// RFC 9110 §12.5.3, as far as gzip goes.
fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}
