//! The portal's listener: bounded connections, TLS with optional client certificates, HTTP/1.1.

use super::timely::Timely;
use crate::config::Cidr;
use crate::control::gate::Peer;
use crate::control::network::network;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use arc_swap::ArcSwap;
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What the listener serves with.
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Of those, from one address.
    pub max_per_address: usize,
    /// Whose connections are many people's.
    pub trusted_proxies: Vec<Cidr>,
    pub metrics: Arc<Metrics>,
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
        let places = Places::new(&settings);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let place = match places.take(address.ip(), &settings) {
                Ok(place) => place,
                Err(limit) => {
                    settings.metrics.hit(limit);
                    continue;
                }
            };
            let (settings, router, stop) = (Arc::clone(&settings), router.clone(), stop.clone());
            tokio::spawn(async move {
                let _place = place;
                connection(stream, address, &settings, router, stop).await;
            });
        }
    }))
}

/// Connections open from each address.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Who holds how many connections.
struct Places {
    all: Arc<Semaphore>,
    by_address: Open,
}

/// One connection's place. Free again when it goes.
struct Place {
    _one: OwnedSemaphorePermit,
    of: Option<(IpAddr, Open)>,
}

impl Places {
    fn new(settings: &Settings) -> Self {
        Self {
            all: Arc::new(Semaphore::new(settings.max_connections)),
            by_address: Arc::default(),
        }
    }

    /// A place, or the limit that is reached.
    fn take(&self, address: IpAddr, settings: &Settings) -> Result<Place, Limit> {
        let one = Arc::clone(&self.all).try_acquire_owned();
        let one = one.map_err(|_| Limit::PortalConnections)?;
        let mut proxies = settings.trusted_proxies.iter();
        if proxies.any(|it| it.contains(address)) {
            return Ok(Place {
                _one: one,
                of: None,
            });
        }
        let address = network(address);
        let mut open = self.by_address.lock();
        let own = open.entry(address).or_insert(0);
        // No more entries than connections: each goes with its last place.
        if *own >= settings.max_per_address {
            return Err(Limit::PortalAddress);
        }
        *own += 1;
        drop(open);
        Ok(Place {
            _one: one,
            of: Some((address, Arc::clone(&self.by_address))),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, open)) = &self.of else {
            return;
        };
        let mut open = open.lock();
        if let Some(own) = open.get_mut(address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(address);
            }
        }
    }
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
mod tests;
