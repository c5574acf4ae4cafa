//! What can be said about an upstream; every limit with its unit and its default.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Everything about one upstream. Build with `Settings { name, addresses, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As in the configuration; errors and metrics carry it.
    pub name: String,
    /// At least one.
    pub addresses: Vec<Address>,
    pub protocol: Protocol,
    /// `None` speaks in clear.
    pub tls: Option<Tls>,
    pub balance: Balance,
    pub timeouts: Timeouts,
    pub health: Health,
    /// Independent pools of idle connections; one for each worker thread. 0 means one a processor.
    pub lanes: usize,
    /// Idle connections kept for each address in each lane. Default 256.
    pub max_idle: usize,
    /// Open connections over all addresses and lanes, upgraded ones included. Default 1024.
    pub max_connections: usize,
    /// Requests that may wait for a connection when all are busy; one more is refused. Default 1024.
    pub max_waiting: usize,
    /// Tries for one request, the first included. Default 3.
    pub max_attempts: u32,
    /// Response head, and trailers, in bytes. At least 8192. Default 64 KiB.
    pub max_head_bytes: usize,
    /// Bytes read from a connection at once, at most, where a large body streams. Default 256 KiB.
    pub read_buffer: usize,
    /// Header fields in a response. Default 100, which the parser keeps on the stack; any other
    /// number costs one allocation for each response.
    pub max_headers: usize,
    /// Requests at once on one HTTP/2 connection; more open another one. Default 100.
    pub max_streams: usize,
    /// HTTP/2 flow-control window of a stream, in bytes; also its send buffer. Default 256 KiB.
    pub stream_window: u32,
    /// HTTP/2 flow-control window of a connection, in bytes. Default 1 MiB.
    pub connection_window: u32,
    /// IP addresses tried for one name in one attempt. Default 4.
    pub max_resolved: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            addresses: Vec::new(),
            protocol: Protocol::default(),
            tls: None,
            balance: Balance::default(),
            timeouts: Timeouts::default(),
            health: Health::default(),
            lanes: 0,
            max_idle: 256,
            max_connections: 1024,
            max_waiting: 1024,
            max_attempts: 3,
            max_head_bytes: 64 * 1024,
            read_buffer: 256 * 1024,
            max_headers: 100,
            max_streams: 100,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            max_resolved: 4,
        }
    }
}

/// Where an upstream listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name (resolved anew on each connect) or an IP address (IPv6 without brackets), and a port.
    Tcp(String, u16),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAddress(String);

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an address: write host:port, [ipv6]:port or unix:/path",
            self.0
        )
    }
}

impl std::error::Error for InvalidAddress {}

/// `host:port`, `[ipv6]:port` or `unix:/path`.
impl FromStr for Address {
    type Err = InvalidAddress;
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let wrong = || InvalidAddress(text.chars().take(200).collect());
        if let Some(path) = text.strip_prefix("unix:") {
            let absolute = path.starts_with('/') && path.len() > 1;
            return absolute.then(|| Self::Unix(path.into())).ok_or_else(wrong);
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|p| *p != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(inner) => {
                let six: std::net::Ipv6Addr = inner.parse().map_err(|_| wrong())?;
                six.to_string()
            }
            None => host.to_owned(),
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
        let named = !host.is_empty() && host.bytes().all(name);
        // A bare IPv6 address is ambiguous about where its port starts.
        if !named || (host.contains(':') && !text.starts_with('[')) {
            return Err(wrong());
        }
        Ok(Self::Tcp(host, port))
    }
}

/// Which HTTP is spoken to the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Http1,
    /// By ALPN with TLS; by prior knowledge (RFC 9113 §3.3) without.
    Http2,
    /// What ALPN agrees on; HTTP/1.1 without TLS.
    Auto,
}

/// TLS towards the app. Its certificate is always verified.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The name that the certificate must carry; by default the address's host. Needed for Unix sockets.
    pub server_name: Option<String>,
    pub roots: Roots,
    /// Certificate chain and private key (PEM), where the app wants a client certificate.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Which authorities vouch for the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The system's store.
    #[default]
    System,
    /// Only those in this PEM file.
    File(PathBuf),
}

/// Which healthy address gets the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight, over all lanes.
    LeastRequests,
}

/// How long each phase may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Name lookup, connect and TLS handshake of one address together; also the wait for a free
    /// connection. Default 5 s.
    pub connect: Duration,
    /// From the last byte of the request body that moved to the response head. Default 60 s.
    pub head: Duration,
    /// Without a byte of the request body moving, in either direction of fault. Default 60 s.
    pub request_idle: Duration,
    /// Without a byte of the response body, while somebody reads it. Default 5 min; zero never ends.
    pub body_idle: Duration,
    /// How long an unused connection is kept. Default 60 s.
    pub pool_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(60),
            request_idle: Duration::from_secs(60),
            body_idle: Duration::from_secs(300),
            pool_idle: Duration::from_secs(60),
        }
    }
}

/// Passive health: an address that cannot be connected to rests.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// Connect failures or timeouts in a row before an address rests. Default 3.
    pub failures: u32,
    /// First rest; each further failure after it doubles it. Default 10 s.
    pub rest: Duration,
    /// Longest rest. Default 60 s.
    pub max_rest: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            failures: 3,
            rest: Duration::from_secs(10),
            max_rest: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for text in [
            "app:80",
            "127.0.0.1:8080",
            "[::1]:443",
            "unix:/run/app.sock",
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "app",
            "app:0",
            ":80",
            "::1:80",
            "unix:app",
            "a b:1",
            "[x]:1",
            "app:99999",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Address>();
        }
    }
}
