//! The data plane's threads: one a core, each with its own runtime, listening socket and lane of connections.

use super::{Parts, RunError, translate};
use crate::config::Config;
use crate::proxy::listener::{self, Shutdown};
use crate::proxy::tls;
use crate::proxy::worker::Worker;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The TLS configurations that listeners serve with; a reload replaces what is inside.
#[derive(Clone, Default)]
pub(crate) struct TlsConfigs {
    pub apps: Option<Arc<ArcSwap<ServerConfig>>>,
    pub portal: Option<Arc<ArcSwap<ServerConfig>>>,
}

impl TlsConfigs {
    pub(super) fn new(config: &Config) -> Result<Self, RunError> {
        let make = |tls: &Option<crate::config::Tls>, what: &str| {
            let made = tls.as_ref().map(|tls| {
                tls::server_config(&translate::tls(tls)).map_err(|why| RunError::build(what, why))
            });
            made.transpose()
        };
        let shared = |made| Arc::new(ArcSwap::new(made));
        let portal = make(&config.listeners.portal.tls, "listeners.portal.tls")?;
        Ok(Self {
            apps: make(&config.listeners.apps.tls, "listeners.apps.tls")?.map(shared),
            portal: portal.as_ref().map(http1).map(shared),
        })
    }

    /// Serves with these from now on; connections that are open keep what they have.
    pub(super) fn put(&self, new: Self) {
        for (old, new) in [(&self.apps, new.apps), (&self.portal, new.portal)] {
            if let (Some(old), Some(new)) = (old, new) {
                old.store(new.load_full());
            }
        }
    }
}

/// Offers HTTP/1.1 alone, which is all that the portal's listener speaks (RFC 7301 §3.2).
fn http1(made: &Arc<ServerConfig>) -> Arc<ServerConfig> {
    let mut only = ServerConfig::clone(made);
    only.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(only)
}

/// The running workers.
pub(crate) struct Workers(Vec<JoinHandle<()>>);

impl Workers {
    pub(super) fn are_done(&self) -> bool {
        self.0.iter().all(JoinHandle::is_finished)
    }

    pub(super) fn join(self) {
        for thread in self.0 {
            // A worker that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// How many workers a configuration means.
pub(super) fn count(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

/// Binds every worker's socket, then starts them: an address that is taken stops the start, not a worker.
pub(super) fn start(
    config: &Config,
    parts: &Parts,
    shutdown: &Shutdown,
) -> Result<Workers, RunError> {
    let settings = Arc::new(translate::listener(config, parts.tls.apps.clone()));
    let mut sockets = Vec::new();
    for _ in 0..count(config) {
        let socket = listener::bind(settings.address);
        sockets.push(socket.map_err(RunError::io(format!(
            "cannot listen on {}",
            settings.address
        )))?);
    }
    let mut threads = Vec::new();
    for (lane, socket) in sockets.into_iter().enumerate() {
        let worker = Worker::new(Arc::clone(&parts.plane), lane);
        let (settings, shutdown) = (Arc::clone(&settings), shutdown.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RunError::io("cannot start a worker"))?;
        let thread = std::thread::Builder::new().name(format!("locum-worker-{lane}"));
        let run = move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(socket) {
                    Ok(socket) => listener::serve(worker, settings, socket, shutdown).await,
                    Err(error) => tracing::error!(%error, "a worker could not take its socket"),
                }
            });
        };
        threads.push(
            thread
                .spawn(run)
                .map_err(RunError::io("cannot start a worker"))?,
        );
    }
    Ok(Workers(threads))
}
