//! Accepting: one listening socket a worker (the kernel spreads connections), bounded, cut off at drain.

use super::connection;
pub use super::listening::{ProxyProtocol, Settings};
use super::worker::Worker;
use crate::telemetry::Limit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that the kernel may queue before we accept them.
const BACKLOG: i32 = 4096;

/// How long to rest when the process has no more file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// The two moments of a shutdown.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new, finish what is under way.
    pub drain: CancellationToken,
    /// Stop now.
    pub kill: CancellationToken,
}

/// Binds one worker's socket. Several workers bind the same address.
///
/// # Errors
/// Whatever the system says: the address is taken, not ours, or privileged.
pub fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let domain = if address.is_ipv6() {
        socket2::Domain::IPV6
    } else {
        socket2::Domain::IPV4
    };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until drained; returns when the last connection is gone or killed.
pub async fn serve(
    worker: Worker,
    settings: Arc<Settings>,
    socket: TcpListener,
    shutdown: Shutdown,
) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.drain.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(&worker, &settings, &shutdown, &tasks, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; raise the limit of open files if this repeats");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
    drop(socket);
    tasks.close();
    tasks.wait().await;
}

fn admit(
    worker: &Worker,
    settings: &Arc<Settings>,
    shutdown: &Shutdown,
    tasks: &TaskTracker,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let plane = worker.plane();
    let Some(place) = plane.connections.take(plane.setup().limits.max_connections) else {
        plane.metrics.hit(Limit::Connections);
        return;
    };
    plane.metrics.connections_total.inc();
    let (worker, settings, shutdown) = (worker.clone(), Arc::clone(settings), shutdown.clone());
    tasks.spawn(async move {
        let _place = place;
        tokio::select! {
            biased;
            () = shutdown.kill.cancelled() => {}
            () = connection::run(worker, settings, stream, peer, shutdown.drain.clone()) => {}
        }
    });
}
