//! How one address is listened at.

use super::client::Network;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;

/// Whether a PROXY protocol header comes first on each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    #[default]
    Off,
    V1,
    V2,
    Any,
}

/// What does not change while a listener runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: SocketAddr,
    /// `None`: plain HTTP, because the configuration says so.
    pub tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// HTTP/2 without TLS, by prior knowledge.
    pub h2c: bool,
    pub proxy_protocol: ProxyProtocol,
    /// Peers that may speak for others: PROXY headers, `X-Forwarded-For`.
    pub trusted: Arc<[Network]>,
}
