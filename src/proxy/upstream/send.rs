//! An upstream as the rest of Locum sees it: build it, send to it, read its counts.

use super::Cause;
use super::attempts::Again;
use super::body::UpstreamBody;
use super::error::{BuildError, UpstreamError};
use super::health::{Target, since};
use super::lanes::Lane;
use super::limit::Limit;
use super::metrics::{Snapshot, count};
use super::outgoing::Outgoing;
use super::settings::{Address, Settings};
use super::shared::Shared;
use super::tls::Configs;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use rustls_pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// An app behind Locum: its addresses, connections and health. Cheap to clone; dropping the last clone
/// closes what is idle, while responses under way go on.
#[derive(Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

impl Upstream {
    /// Reads certificates and checks the numbers. Connects to nothing yet.
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        let name = &settings.name;
        if settings.addresses.is_empty() {
            return Err(BuildError::NoAddress {
                upstream: name.clone(),
            });
        }
        let least = [
            ("max_connections", settings.max_connections, 1),
            ("max_head_bytes", settings.max_head_bytes, 8192),
            ("max_headers", settings.max_headers, 1),
            ("max_streams", settings.max_streams, 1),
            ("stream_window", settings.stream_window as usize, 65_535),
            (
                "connection_window",
                settings.connection_window as usize,
                65_535,
            ),
        ];
        for (key, value, least) in least {
            if value < least {
                return Err(BuildError::TooSmall {
                    upstream: name.clone(),
                    key,
                    least,
                });
            }
        }
        let tls = match &settings.tls {
            Some(tls) => Some(Configs::new(name, tls, settings.protocol)?),
            None => None,
        };
        let lanes = match settings.lanes {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            lanes => lanes,
        };
        let targets: Vec<_> = settings
            .addresses
            .iter()
            .cloned()
            .map(Target::new)
            .collect();
        let shared = Shared {
            server_names: server_names(&settings)?,
            authorities: settings
                .addresses
                .iter()
                .map(|a| authority(a, &settings))
                .collect(),
            tls,
            limit: Limit::new(settings.max_connections, settings.max_waiting),
            lanes: (0..lanes).map(|_| Lane::new(targets.len())).collect(),
            targets,
            turn: AtomicUsize::new(0),
            start: Instant::now(),
            settings,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub fn name(&self) -> &str {
        &self.shared.settings.name
    }

    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Whether connections to it are TLS: what an absolute URL to it starts with.
    pub fn is_tls(&self) -> bool {
        self.shared.tls.is_some()
    }

    /// Sends `request` and returns the response as soon as its head is there.
    ///
    /// `lane` is the calling worker's number (taken modulo the lanes there are). The request's target is
    /// `/path?query`; its `Host` goes out as it is, or is the address where there is none. Hop-by-hop
    /// fields must be gone already, except `Connection: upgrade` with `Upgrade` for a WebSocket: then
    /// HTTP/1.1 is spoken, and `hyper::upgrade::on` the 101 response gives the stream.
    ///
    /// An attempt is repeated, at most `max_attempts` in all, when no connection could be made, when
    /// nothing was sent, or when a kept connection closed under an idempotent request without a body
    /// (RFC 9110 §9.2.2).
    pub async fn send<B>(
        &self,
        lane: usize,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts.clone(), ());
        let request = Request::from_parts(parts, body);
        self.send_or_again(lane, request, &|| Some(head.clone()))
            .await
    }

    /// [`Upstream::send`] for the hot path: `again` makes the head anew where an attempt has to be repeated.
    pub async fn send_or_again<B>(
        &self,
        lane: usize,
        request: Request<B>,
        again: Again<'_>,
    ) -> Result<Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        let lane = lane % self.shared.lanes.len().max(1);
        let counts = &self.shared.lane(lane).counts;
        count(&counts.requests);
        let length = request.headers().get(http::header::CONTENT_LENGTH);
        let declared = length.and_then(|v| v.to_str().ok()?.parse().ok());
        let request = request.map(|body| Outgoing::new(body, declared));
        let sent = self.shared.attempts(lane, request, again).await;
        if let Err(error) = &sent {
            count(match error {
                UpstreamError::Connect { .. } => &counts.failed_connect,
                UpstreamError::Timeout { .. } => &counts.failed_timeout,
                UpstreamError::Closed { .. } => &counts.failed_closed,
                UpstreamError::Protocol { .. } | UpstreamError::Request { .. } => {
                    &counts.failed_protocol
                }
                UpstreamError::TooBusy { .. } => &counts.failed_busy,
                UpstreamError::Tls { .. } => &counts.failed_tls,
                UpstreamError::ClientBody { .. } => &counts.failed_client_body,
            });
        }
        sent
    }

    /// The counts and the present state.
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.shared;
        let mut sum = Snapshot::default();
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        for lane in &shared.lanes {
            lane.counts.add_to(&mut sum);
            let active: usize = lane.active.iter().map(|a| a.load(Ordering::Relaxed)).sum();
            sum.in_flight += wide(active);
        }
        let now = since(shared.start);
        sum.open = wide(shared.limit.open());
        sum.waiting = wide(shared.limit.waiting());
        sum.resting = wide(shared.targets.iter().filter(|t| t.rests(now)).count());
        sum
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.shared.settings.name)
            .finish_non_exhaustive()
    }
}

fn authority(address: &Address, settings: &Settings) -> HeaderValue {
    let usual = if settings.tls.is_some() { 443 } else { 80 };
    let text = match address {
        Address::Tcp(host, port) if *port == usual && !host.contains(':') => host.clone(),
        Address::Tcp(..) => address.to_string(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("localhost"))
}

fn server_names(settings: &Settings) -> Result<Vec<ServerName<'static>>, BuildError> {
    let Some(tls) = &settings.tls else {
        return Ok(Vec::new());
    };
    let name = |address: &Address| {
        let host = match (&tls.server_name, address) {
            (Some(name), _) => name.clone(),
            (None, Address::Tcp(host, _)) => host.clone(),
            (None, Address::Unix(_)) => String::new(),
        };
        ServerName::try_from(host.clone()).map_err(|_| BuildError::ServerName {
            upstream: settings.name.clone(),
            name: host,
        })
    };
    settings.addresses.iter().map(name).collect()
}
