//! A new connection: resolve, connect, TLS, and hyper on top of it.

use super::Cause;
use super::error::{Phase, UpstreamError};
use super::lanes::{Link, Peer};
use super::outgoing::Outgoing;
use super::race;
use super::reaper::start_reaper;
use super::settings::{Address, Protocol};
use super::shared::Shared;
use super::tls::Configs;
use super::wire::{Socket, Wire};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;

/// Which step failed.
enum Failed {
    Connect(Cause),
    Tls(Cause),
}

/// Connects to `target` within the connect timeout, and tells its health how it went.
pub(super) async fn dial(
    shared: &Arc<Shared>,
    lane: usize,
    target: usize,
    upgrade: bool,
    permit: OwnedSemaphorePermit,
) -> Result<Link, UpstreamError> {
    let at_most = shared.settings.timeouts.connect;
    let upstream = || shared.settings.name.clone();
    let address = || {
        shared
            .targets
            .get(target)
            .map(|t| t.address.to_string())
            .unwrap_or_default()
    };
    let dialed =
        tokio::time::timeout(at_most, connect(shared, lane, target, upgrade, permit)).await;
    let error = match dialed {
        Ok(Ok(link)) => {
            shared.connected(target);
            return Ok(link);
        }
        Ok(Err(Failed::Connect(cause))) => UpstreamError::Connect {
            upstream: upstream(),
            address: address(),
            cause,
        },
        Ok(Err(Failed::Tls(cause))) => UpstreamError::Tls {
            upstream: upstream(),
            address: address(),
            cause,
        },
        Err(_) => UpstreamError::Timeout {
            upstream: upstream(),
            phase: Phase::Connect,
            after: at_most,
            peer: Some(address().into()),
        },
    };
    shared.not_connected(target, &error);
    Err(error)
}

async fn connect(
    shared: &Arc<Shared>,
    lane: usize,
    target: usize,
    upgrade: bool,
    permit: OwnedSemaphorePermit,
) -> Result<Link, Failed> {
    let gone = || Failed::Connect("the address is not configured".into());
    let place = shared.targets.get(target).ok_or_else(gone)?;
    let socket = open(&place.address, shared.settings.max_resolved)
        .await
        .map_err(|cause| Failed::Connect(cause.into()))?;
    let peer = peer(&socket, &place.address);
    let (wire, http2) = match &shared.tls {
        None => {
            let prior_knowledge = shared.settings.protocol == Protocol::Http2 && !upgrade;
            (Wire::clear(socket, permit), prior_knowledge)
        }
        Some(tls) => secure(shared, tls, target, upgrade, socket, permit).await?,
    };
    place.speaks_http2.store(
        http2 || (upgrade && place.speaks_http2.load(Ordering::Relaxed)),
        Ordering::Relaxed,
    );
    let handshake = if http2 {
        start_http2(shared, lane, target, wire, peer).await
    } else {
        start_http1(shared, wire, peer).await
    };
    handshake.map_err(|cause| Failed::Connect(cause.into()))
}

async fn open(address: &Address, max_resolved: usize) -> std::io::Result<Socket> {
    let (host, port) = match address {
        Address::Unix(path) => return UnixStream::connect(path).await.map(Socket::Unix),
        Address::Tcp(host, port) => (host.as_str(), *port),
    };
    let stream = if let Ok(ip) = host.parse::<IpAddr>() {
        TcpStream::connect(SocketAddr::new(ip, port)).await?
    } else {
        let found = tokio::net::lookup_host((host, port)).await?;
        race::connect(race::in_turns(found, max_resolved.max(1))).await?
    };
    stream.set_nodelay(true)?;
    Ok(Socket::Tcp(stream))
}

/// What the socket is connected to; a host name says less than the address it resolved to.
fn peer(socket: &Socket, address: &Address) -> Peer {
    match socket {
        Socket::Tcp(stream) => stream.peer_addr().map_or_else(
            |_| address.to_string().into(),
            |peer| peer.to_string().into(),
        ),
        Socket::Unix(_) => address.to_string().into(),
    }
}

async fn secure(
    shared: &Shared,
    tls: &Configs,
    target: usize,
    upgrade: bool,
    socket: Socket,
    permit: OwnedSemaphorePermit,
) -> Result<(Wire, bool), Failed> {
    let config = if upgrade { &tls.http1 } else { &tls.usual };
    let unnamed = || Failed::Tls("there is no name to verify".into());
    let name: ServerName<'static> = shared
        .server_names
        .get(target)
        .cloned()
        .ok_or_else(unnamed)?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, socket)
        .await
        .map_err(|cause| Failed::Tls(cause.into()))?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if shared.settings.protocol == Protocol::Http2 && !upgrade && !http2 {
        return Err(Failed::Tls("the app did not agree on h2 by ALPN".into()));
    }
    Ok((Wire::tls(stream, permit), http2))
}

async fn start_http1(shared: &Shared, wire: Wire, peer: Peer) -> hyper::Result<Link> {
    let settings = &shared.settings;
    let mut builder = http1::Builder::new();
    builder
        .writev(true)
        .max_buf_size(settings.read_buffer.max(settings.max_head_bytes))
        .max_header_size(settings.max_head_bytes);
    // Hyper keeps up to 100 on its stack, and takes any number given, 100 too, from the heap.
    if settings.max_headers != 100 {
        builder.max_headers(settings.max_headers);
    }
    let (sender, connection) = builder.handshake::<_, Outgoing>(TokioIo::new(wire)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "an upstream connection ended");
        }
    });
    Ok(Link::Http1(sender, peer))
}

async fn start_http2(
    shared: &Arc<Shared>,
    lane: usize,
    target: usize,
    wire: Wire,
    peer: Peer,
) -> hyper::Result<Link> {
    let settings = &shared.settings;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(settings.stream_window)
        .initial_connection_window_size(settings.connection_window)
        .max_send_buf_size(settings.stream_window as usize)
        .max_header_list_size(u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX));
    let (sender, connection) = builder.handshake::<_, Outgoing>(TokioIo::new(wire)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an upstream connection ended");
        }
    });
    Ok(shared
        .lane(lane)
        .share(target, sender, peer, || start_reaper(shared, lane)))
}
