//! The portal's listener: an origin of its own, which no upstream can serve. Today the published keys and a page
//! that says what this is; requests, approvals and reviews come here.

use crate::control::http::{Handler, answer};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where apps fetch the keys of assertions (RFC 7517 §5).
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// What the portal serves with.
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// The JWK set; asked for at each request, so that a new key shows at once.
    pub jwks: Arc<dyn Fn() -> Bytes + Send + Sync>,
}

/// Serves until `stop`.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(
    settings: Settings,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    let jwks = settings.jwks;
    let handler: Handler = Arc::new(move |request| route(request, &jwks));
    crate::control::http::listen(settings.address, settings.tls, handler, stop).await
}

fn route(
    request: &Request<Incoming>,
    jwks: &Arc<dyn Fn() -> Bytes + Send + Sync>,
) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, JWKS_PATH) => {
            answer(StatusCode::OK, "application/jwk-set+json", jwks())
        }
        (&Method::GET | &Method::HEAD, "/") => page(),
        _ => answer(
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "There is nothing here.\n",
        ),
    }
}

fn page() -> Response<Full<Bytes>> {
    const PAGE: &str = include_str!("listener.html");
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
