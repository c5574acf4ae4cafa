//! The portal's listener: bounded connections, TLS with optional client certificates, HTTP/1.1.

use super::timely::Timely;
use crate::control::gate::Peer;
use arc_swap::ArcSwap;
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What the listener serves with.
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// Connections open at once.
    pub max_connections: usize,
    /// How long a handshake or a request head may take, and a body after its head.
    pub head_timeout: Duration,
}

/// Serves `router` until `stop`.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(
    settings: Settings,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(settings.address).await?;
    let settings = Arc::new(settings);
    Ok(tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(settings.max_connections));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (settings, router, stop) = (Arc::clone(&settings), router.clone(), stop.clone());
            tokio::spawn(async move {
                let _place = place;
                connection(stream, address, &settings, router, stop).await;
            });
        }
    }))
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    settings: &Settings,
    router: Router,
    stop: CancellationToken,
) {
    let mut peer = Peer {
        address,
        certificate: None,
    };
    let Some(tls) = &settings.tls else {
        return serve(stream, peer, settings, router, stop).await;
    };
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.load_full());
    let accepted = tokio::time::timeout(settings.head_timeout, acceptor.accept(stream)).await;
    if let Ok(Ok(stream)) = accepted {
        let shown = stream.get_ref().1.peer_certificates();
        peer.certificate = shown
            .and_then(|chain| chain.first())
            .map(|leaf| leaf.to_vec());
        serve(stream, peer, settings, router, stop).await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    settings: &Settings,
    router: Router,
    stop: CancellationToken,
) {
    let head_timeout = settings.head_timeout;
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.map(|body| axum::body::Body::new(Timely::new(body, head_timeout)))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout);
    let service = TowerToHyperService::new(service);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // What the client does with its end is no concern of ours.
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::{Settings, listen};
    use axum::Router;
    use axum::body::Bytes as Whole;
    use axum::routing::post;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_body_that_trickles_holds_no_place() -> Result<(), Box<dyn std::error::Error>> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let settings = Settings {
            address,
            tls: None,
            max_connections: 1,
            head_timeout: Duration::from_millis(300),
        };
        let router = Router::new().route("/", post(|_: Whole| async { "whole" }));
        let stop = CancellationToken::new();
        let listening = listen(settings, router, stop.clone()).await?;
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
        let mut slow = TcpStream::connect(address).await?;
        slow.write_all(head.as_bytes()).await?;
        let (mut reads, mut writes) = slow.into_split();
        let trickle = tokio::spawn(async move {
            while writes.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(5), reads.read_to_string(&mut answer));
        read.await.map_err(|_| "the place is held")?.ok();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        trickle.abort();
        // The only place is free again.
        let mut next = TcpStream::connect(address).await?;
        let whole = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\na";
        next.write_all(whole.as_bytes()).await?;
        let mut answer = String::new();
        next.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("whole"), "{answer}");
        stop.cancel();
        listening.await?;
        Ok(())
    }
}
