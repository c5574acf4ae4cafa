//! A small HTTP/1.1 server for the product's own listeners: bounded, timed, GET-sized requests only.

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Connections open at once on one listener of the product's own.
const MAX_CONNECTIONS: usize = 1024;

/// How long a handshake or a request head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What answers: the request without its body in, the whole answer out.
pub type Handler = Arc<dyn Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync>;

/// Listens until `stop`.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(
    address: SocketAddr,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    handler: Handler,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await?;
    Ok(tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (handler, tls, stop) = (Arc::clone(&handler), tls.clone(), stop.clone());
            tokio::spawn(async move {
                let _place = place;
                match tls {
                    None => serve(stream, handler, stop).await,
                    Some(tls) => {
                        let acceptor = tokio_rustls::TlsAcceptor::from(tls.load_full());
                        if let Ok(Ok(stream)) =
                            tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await
                        {
                            serve(stream, handler, stop).await;
                        }
                    }
                }
            });
        }
    }))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    handler: Handler,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let answer = handler(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // What the client does with its end is no concern of ours.
    let _ = connection.await;
}

/// A whole answer.
pub fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
