//! The request line and authority as the connection's protocol wants them.

use super::error::UpstreamError;
use super::lanes::Link;
use super::outgoing::Outgoing;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version, header};

/// HTTP/1.1: origin-form and a `Host` (RFC 9112 §3.2). HTTP/2: `:scheme` and `:authority`, and no `Host`
/// (RFC 9113 §8.3.1). A request that went through once may go through again for another connection.
pub(super) fn prepare(
    request: &mut Request<Outgoing>,
    link: &Link,
    tls: bool,
    authority: Option<&HeaderValue>,
) -> Result<(), UpstreamError> {
    match link {
        Link::Http1(..) => {
            for_http1(request, authority);
            Ok(())
        }
        Link::Http2(..) => for_http2(request, tls, authority),
    }
}

fn for_http1(request: &mut Request<Outgoing>, authority: Option<&HeaderValue>) {
    *request.version_mut() = Version::HTTP_11;
    if !request.headers().contains_key(header::HOST) {
        let named = request.uri().authority().map(Authority::as_str);
        let host = match named.map(HeaderValue::from_str) {
            Some(Ok(host)) => host,
            _ => authority
                .cloned()
                .unwrap_or(HeaderValue::from_static("localhost")),
        };
        request.headers_mut().insert(header::HOST, host);
    }
    if request.uri().authority().is_some() {
        let path = path(request.uri());
        *request.uri_mut() = Uri::from(path);
    }
}

fn for_http2(
    request: &mut Request<Outgoing>,
    tls: bool,
    authority: Option<&HeaderValue>,
) -> Result<(), UpstreamError> {
    *request.version_mut() = Version::HTTP_2;
    let named = request.headers_mut().remove(header::HOST);
    if named.is_none() && request.uri().authority().is_some() {
        return Ok(());
    }
    let wrong = |what| UpstreamError::Request { what };
    let host = named
        .as_ref()
        .or(authority)
        .ok_or_else(|| wrong("it names no host"))?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority =
        Some(Authority::try_from(host.as_bytes()).map_err(|_| wrong("its Host is no authority"))?);
    parts.path_and_query = Some(path(request.uri()));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| wrong("its target is no URI"))?;
    Ok(())
}

fn path(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}
