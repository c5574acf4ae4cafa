//! One client connection: PROXY header, TLS, then HTTP/1.1 behind the guard or HTTP/2.

use super::client::Client;
use super::exchange::{self, Arrival};
use super::guard::{Guard, Notes};
use super::listening::{ProxyProtocol, Settings};
use super::measure;
use super::patience::Patience;
use super::setup::Limits;
use super::worker::{Places, Worker};
use crate::telemetry::Limit;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use proxy_header::ParseConfig;
use proxy_header::io::ProxiedStream;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The 24 bytes that begin every HTTP/2 connection (RFC 9113 §3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves one accepted socket until it ends. Never fails: what goes wrong is counted or recorded inside.
pub async fn run(
    worker: Worker,
    settings: Arc<Settings>,
    stream: TcpStream,
    peer: SocketAddr,
    drain: CancellationToken,
) {
    // Without this, small answers wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let plane = worker.plane();
    let patience = plane.setup().limits.response_idle_timeout;
    let stream = Patience::new(stream, patience, Arc::clone(&plane.metrics));
    let mut client = Client::new(peer, &settings.trusted, settings.tls.is_some());
    if settings.proxy_protocol == ProxyProtocol::Off {
        return secure(worker, &settings, stream, client, drain).await;
    }
    // Only a trusted peer may say who the client is.
    if !client.is_trusted_proxy {
        worker
            .plane()
            .metrics
            .refused("proxy-protocol-untrusted", 0);
        return;
    }
    let limit = worker.plane().setup().limits.handshake_timeout;
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: settings.proxy_protocol != ProxyProtocol::V2,
        allow_v2: settings.proxy_protocol != ProxyProtocol::V1,
    };
    match tokio::time::timeout(limit, ProxiedStream::create_from_tokio(stream, config)).await {
        Ok(Ok(stream)) => {
            if let Some(said) = stream.proxy_header().proxied_address() {
                // Who is behind the proxy is not trusted because the proxy is.
                client = Client::new(said.source, &settings.trusted, client.is_tls);
            }
            secure(worker, &settings, stream, client, drain).await;
        }
        Ok(Err(_)) => worker.plane().metrics.refused("proxy-protocol", 0),
        Err(_) => worker.plane().metrics.hit(Limit::HandshakeTimeout),
    }
}

/// TLS, where the listener has it.
async fn secure<S>(
    worker: Worker,
    settings: &Settings,
    stream: S,
    mut client: Client,
    drain: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = &settings.tls else {
        return plain(worker, settings.h2c, stream, client, drain).await;
    };
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.load_full());
    let limit = worker.plane().setup().limits.handshake_timeout;
    let stream = match tokio::time::timeout(limit, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => {
            worker.plane().metrics.handshakes_failed.inc();
            return;
        }
        Err(_) => {
            worker.plane().metrics.handshakes_failed.inc();
            worker.plane().metrics.hit(Limit::HandshakeTimeout);
            return;
        }
    };
    let (_, session) = stream.get_ref();
    let is_h2 = session.alpn_protocol() == Some(b"h2");
    client.certificate = session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|der| thumbprint(der));
    if is_h2 {
        Box::pin(http2(worker, stream, client, drain)).await;
    } else {
        Box::pin(http1(worker, stream, client, drain)).await;
    }
}

/// SHA-256 of the certificate's DER form, hex (RFC 8705 §3.1 uses the same digest).
fn thumbprint(der: &[u8]) -> Arc<str> {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut out = String::with_capacity(64);
    for byte in digest.as_ref() {
        // Writing into a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.into()
}

async fn plain<S>(worker: Worker, h2c: bool, stream: S, client: Client, drain: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !h2c {
        return Box::pin(http1(worker, stream, client, drain)).await;
    }
    let limit = worker.plane().setup().limits.header_timeout;
    let Ok(Ok((stream, is_h2))) =
        tokio::time::timeout(limit, super::preface::sniff(stream, H2_PREFACE)).await
    else {
        return;
    };
    if is_h2 {
        Box::pin(http2(worker, stream, client, drain)).await;
    } else {
        Box::pin(http1(worker, stream, client, drain)).await;
    }
}

async fn http1<S>(worker: Worker, stream: S, client: Client, drain: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.plane().setup().limits;
    let notes = Arc::new(Notes::default());
    let guard = Guard::new(stream, limits.guard(), Arc::clone(&notes));
    let client = Arc::new(client);
    let serving = worker.clone();
    let service = service_fn(move |request| {
        let numbered = notes.next();
        let from = Arrival {
            client: Arc::clone(&client),
            notes: Some(Arc::clone(&notes)),
            head: numbered.head,
            busy: None,
        };
        // Of its own: an idle connection would keep room for the largest future of a request.
        Box::pin(exchange::handle(
            serving.clone(),
            from,
            numbered.note,
            request,
        ))
    });
    let connection = h1_builder(&limits)
        .serve_connection(guard, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => {
            // Other errors are the client's going away; the exchange's own record says what became of it.
            if ended.is_err_and(|error| error.is_timeout()) {
                worker.plane().metrics.hit(Limit::IdleTimeout);
            }
            return;
        }
        () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Header lines that hyper takes where it is told no number.
const HYPERS_OWN: usize = 100;

fn h1_builder(limits: &Limits) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    // The guard counts before hyper does. Hyper has room for 100 without being told, and makes room for a number that
    // it is told anew for each request.
    if limits.max_headers > HYPERS_OWN {
        builder.max_headers(limits.max_headers);
    }
    builder
        .timer(TokioTimer::new())
        // The guard times a head that has begun; this is how long a connection may lie idle.
        .header_read_timeout(limits.idle_timeout)
        // No `pipeline_flush`: with it hyper's write buffer has no bound (1.12, `Buffered::can_buffer`), and a
        // client that reads slowly makes it hold the whole body.
        .max_buf_size(limits.max_head_bytes.max(64 * 1024));
    builder
}

async fn http2<S>(worker: Worker, stream: S, client: Client, drain: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.plane().setup().limits;
    let client = Arc::new(client);
    let (serving, busy) = (worker.clone(), Places::default());
    let counting = busy.clone();
    let service = service_fn(move |request| {
        let from = Arrival {
            client: Arc::clone(&client),
            notes: None,
            head: 0,
            busy: counting.take(usize::MAX).map(Arc::new),
        };
        exchange::handle(serving.clone(), from, None, request)
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_max_concurrent_streams)
        .max_pending_accept_reset_streams(limits.h2_max_pending_resets)
        .max_local_error_reset_streams(limits.h2_max_local_resets)
        .initial_stream_window_size(limits.h2_stream_window)
        .initial_connection_window_size(limits.h2_connection_window)
        .max_send_buf_size(limits.h2_send_buffer)
        .max_header_list_size(measure::list_size(&limits))
        .keep_alive_interval(limits.idle_timeout)
        .enable_connect_protocol();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        ended = connection.as_mut() => return count(&worker, ended),
        () = idle(&busy, limits.idle_timeout) => {
            worker.plane().metrics.hit(Limit::IdleTimeout);
            connection.as_mut().graceful_shutdown();
            // It waits for the client to answer a PING, which one that is silent never does.
            tokio::select! {
                biased;
                ended = connection.as_mut() => count(&worker, ended),
                () = idle(&busy, limits.idle_timeout) => {}
            }
            return;
        }
        () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    count(&worker, connection.await);
}

/// Ready when nothing was under way for `limit`, looked at as often.
async fn idle(busy: &Places, limit: Duration) {
    let mut seen = None;
    loop {
        let begun = busy.ever_taken();
        if busy.taken() == 0 && seen == Some(begun) {
            return;
        }
        seen = Some(begun);
        tokio::time::sleep(limit).await;
    }
}

/// A connection that HTTP/2 itself ended for too many resets (RFC 9113 §10.5).
fn count(worker: &Worker, ended: hyper::Result<()>) {
    let Err(error) = ended else { return };
    let cause =
        std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    if cause.and_then(h2::Error::reason) == Some(h2::Reason::ENHANCE_YOUR_CALM) {
        worker.plane().metrics.hit(Limit::Http2Resets);
    }
}
