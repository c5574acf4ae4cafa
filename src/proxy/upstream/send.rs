//! One request's way: pick an address, take or make a connection, send, and try again where that is safe.

use super::body::{Flight, Held, UpstreamBody};
use super::dial::dial;
use super::error::{BuildError, Phase, UpstreamError};
use super::health::{Target, pick, since};
use super::lanes::{Lane, Link};
use super::limit::{Limit, NoTurn, Turn};
use super::metrics::{Snapshot, count};
use super::outgoing::{Awaits, Outgoing, Progress};
use super::settings::{Address, Balance, Protocol, Settings};
use super::tls::Configs;
use super::{Cause, faults, prepare};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
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

/// What all lanes and bodies of one upstream share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) targets: Vec<Target>,
    /// For each target, where TLS is on.
    pub(super) server_names: Vec<ServerName<'static>>,
    /// For each target: what `Host` says when the request names none.
    authorities: Vec<HeaderValue>,
    pub(super) tls: Option<Configs>,
    pub(super) limit: Limit,
    lanes: Box<[Lane]>,
    turn: AtomicUsize,
    start: Instant,
}

/// How one attempt ended without a response.
enum Missed {
    /// Nothing of it was sent: this is the request again.
    Unsent(Box<Request<Outgoing>>, hyper::Error),
    /// It may have been sent.
    Sent(hyper::Error),
    Timeout(Phase),
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
        let lane = lane % self.shared.lanes.len().max(1);
        let counts = &self.shared.lane(lane).counts;
        count(&counts.requests);
        let sent = self.shared.attempts(lane, request.map(Outgoing::new)).await;
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

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// The same request once more, for one whose body is empty.
fn copy(request: &Request<Outgoing>) -> Request<Outgoing> {
    let mut again = Request::new(Outgoing::Empty);
    again.method_mut().clone_from(request.method());
    again.uri_mut().clone_from(request.uri());
    again.headers_mut().clone_from(request.headers());
    again
}

impl Shared {
    /// The lane of that number; numbers come from [`Upstream::send`], which keeps them in range.
    pub(super) fn lane(&self, lane: usize) -> &Lane {
        &self.lanes[lane % self.lanes.len()]
    }

    pub(super) fn connected(&self, target: usize) {
        if let Some(target) = self.targets.get(target) {
            target.succeeded();
        }
    }

    pub(super) fn not_connected(&self, target: usize, error: &UpstreamError) {
        let Some(target) = self.targets.get(target) else {
            return;
        };
        let rest = target.failed(since(self.start), &self.settings.health);
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(
            upstream = self.settings.name,
            address = %target.address,
            cause = source,
            rests_ms = rest.map(|r| u64::try_from(r.as_millis()).unwrap_or(u64::MAX)),
            "{error}"
        );
    }

    fn pick(&self, tried: &[usize]) -> usize {
        if self.targets.len() == 1 {
            return 0;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let load = |target: usize| match self.settings.balance {
            Balance::RoundRobin => 0,
            Balance::LeastRequests => self
                .lanes
                .iter()
                .filter_map(|lane| lane.active.get(target))
                .map(|active| active.load(Ordering::Relaxed))
                .sum(),
        };
        pick(&self.targets, turn, since(self.start), tried, load)
    }

    async fn attempts(
        self: &Arc<Self>,
        lane: usize,
        mut request: Request<Outgoing>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let upgrade = request.headers().contains_key(http::header::UPGRADE);
        let upload = request.body().progress();
        let repeatable = request.body().is_empty() && is_idempotent(request.method()) && !upgrade;
        let mut tried = Vec::new();
        let mut fresh = false;
        let mut left = self.settings.max_attempts.max(1);
        loop {
            left -= 1;
            let target = self.pick(&tried);
            let flight = Flight::new(self, lane, target);
            let (link, reused) = match self.obtain(lane, target, upgrade, fresh, repeatable).await {
                Ok(obtained) => obtained,
                Err(error) => {
                    let others = tried.len() + 1 < self.targets.len();
                    if left == 0 || !others || !is_about_address(&error) {
                        return Err(error);
                    }
                    count(&self.lane(lane).counts.retries);
                    tried.push(target);
                    continue;
                }
            };
            prepare::prepare(
                &mut request,
                &link,
                self.tls.is_some(),
                self.authorities.get(target),
            )?;
            // HTTP/2 says of some streams that they were never begun, whatever their method.
            let empty = request.body().is_empty() && !upgrade;
            let may_repeat = repeatable || (empty && matches!(link, Link::Http2(..)));
            let spare = (may_repeat && reused && left > 0).then(|| copy(&request));
            let mut held = Held {
                link: Some(link),
                upload: upload.clone(),
                flight,
            };
            let missed = match self.exchange(&mut held, request).await {
                Ok(response) => return Ok(self.answer(response, held)),
                Err(missed) => missed,
            };
            self.leave(lane, target, held, &missed);
            request = match (missed, spare) {
                (Missed::Unsent(request, _), _) if left > 0 => *request,
                (Missed::Sent(error), Some(spare))
                    if faults::was_refused(&error)
                        || (repeatable && faults::is_connections(&error)) =>
                {
                    spare
                }
                (missed, _) => return Err(self.error(missed, upload.as_deref())),
            };
            count(&self.lane(lane).counts.retries);
            // One kept connection was stale: the others may be too.
            fresh = true;
        }
    }

    /// Lets go of a connection after a request failed on it.
    fn leave(&self, lane: usize, target: usize, held: Held, missed: &Missed) {
        let broken = match missed {
            Missed::Unsent(..) => true,
            Missed::Sent(error) => faults::is_connections(error),
            Missed::Timeout(_) => false,
        };
        if let (true, Some(Link::Http2(_, stream))) = (broken, &held.link) {
            self.lane(lane).leave(target, stream);
        }
    }

    fn answer(
        self: &Arc<Self>,
        response: Response<Incoming>,
        mut held: Held,
    ) -> Response<UpstreamBody> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            held.link = None;
        }
        let idle = self.settings.timeouts.body_idle;
        response.map(|body| UpstreamBody::new(body, held, idle))
    }

    /// A connection to `target`, and whether it served a request before.
    async fn obtain(
        self: &Arc<Self>,
        lane: usize,
        target: usize,
        upgrade: bool,
        fresh: bool,
        repeatable: bool,
    ) -> Result<(Link, bool), UpstreamError> {
        let place = self.lane(lane);
        if !fresh {
            if let Some(link) = self.kept(lane, target, upgrade, repeatable).await {
                count(&place.counts.reuses);
                return Ok((link, true));
            }
        }
        let shares = !upgrade && self.speaks_http2(target);
        let dialing = match place.dialing.get(target) {
            Some(dialing) if shares => Some(dialing.lock().await),
            _ => None,
        };
        if let Some(link) = place
            .join(target, self.settings.max_streams)
            .filter(|_| shares)
        {
            count(&place.counts.reuses);
            return Ok((link, true));
        }
        let permit = match self.permit(lane, target, shares).await? {
            Ok(permit) => permit,
            Err(link) => {
                count(&place.counts.reuses);
                return Ok((link, true));
            }
        };
        let link = dial(self, lane, target, upgrade, permit).await?;
        drop(dialing);
        count(&place.counts.connects);
        Ok((link, false))
    }

    /// A kept connection that still works.
    async fn kept(
        &self,
        lane: usize,
        target: usize,
        upgrade: bool,
        repeatable: bool,
    ) -> Option<Link> {
        let place = self.lane(lane);
        let http2 = !upgrade && self.speaks_http2(target);
        loop {
            let link = match http2 {
                true => place.join(target, self.settings.max_streams),
                false => None,
            };
            let link = match link {
                Some(link) => link,
                None => Link::Http1(place.take(target)?),
            };
            if !repeatable {
                // What must not be sent twice is not sent at all on a connection whose end has already
                // arrived: after one turn of the event loop its task has read it.
                tokio::task::yield_now().await;
                if link.is_closed() {
                    continue;
                }
            }
            return Some(link);
        }
    }

    fn speaks_http2(&self, target: usize) -> bool {
        match self.settings.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 => true,
            Protocol::Auto => self
                .targets
                .get(target)
                .is_some_and(|t| t.speaks_http2.load(Ordering::Relaxed)),
        }
    }

    /// The right to open one more connection; or, where that takes too long, one that became free.
    async fn permit(
        &self,
        lane: usize,
        target: usize,
        shares: bool,
    ) -> Result<Result<tokio::sync::OwnedSemaphorePermit, Link>, UpstreamError> {
        if let Some(permit) = self.limit.try_permit() {
            return Ok(Ok(permit));
        }
        // A crowded HTTP/2 connection is better than none.
        if let Some(link) = self.lane(lane).join(target, usize::MAX).filter(|_| shares) {
            return Ok(Err(link));
        }
        // The places may be held by connections that idle in other lanes.
        let from = |lane: &Lane| lane.take_any();
        while let Some(spare) = self.lanes.iter().find_map(from) {
            if spare.target == target && !shares {
                return Ok(Err(Link::Http1(spare.sender)));
            }
            drop(spare);
            tokio::task::yield_now().await;
            if let Some(permit) = self.limit.try_permit() {
                return Ok(Ok(permit));
            }
        }
        let at_most = self.settings.timeouts.connect;
        loop {
            match self.limit.wait(at_most).await {
                Ok(Turn::Permit(permit)) => return Ok(Ok(permit)),
                Ok(Turn::Spare(spare)) if spare.target == target && !shares => {
                    return Ok(Err(Link::Http1(spare.sender)));
                }
                // It leads elsewhere: closing it frees its place.
                Ok(Turn::Spare(spare)) => drop(spare),
                Err(NoTurn::TooMany) => {
                    return Err(UpstreamError::TooBusy {
                        upstream: self.settings.name.clone(),
                        connections: self.limit.max(),
                        waiting: self.limit.waiting(),
                    });
                }
                Err(NoTurn::Timeout) => {
                    return Err(UpstreamError::Timeout {
                        upstream: self.settings.name.clone(),
                        phase: Phase::Wait,
                        after: at_most,
                    });
                }
            }
        }
    }

    async fn exchange(
        &self,
        held: &mut Held,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Missed> {
        let upload = held.upload.clone();
        let sent = match &mut held.link {
            Some(Link::Http1(sender)) => {
                let sending = sender.try_send_request(request);
                self.within(sending, upload.as_deref()).await
            }
            Some(Link::Http2(sender, _)) => {
                let sending = sender.try_send_request(request);
                self.within(sending, upload.as_deref()).await
            }
            None => return Err(Missed::Timeout(Phase::Connect)),
        };
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => Err(match error.take_message() {
                Some(request) => Missed::Unsent(Box::new(request), error.into_error()),
                None => Missed::Sent(error.into_error()),
            }),
            Err(phase) => Err(Missed::Timeout(phase)),
        }
    }

    /// Awaits the response head; while a body goes out, its progress counts.
    async fn within<T>(
        &self,
        sending: impl Future<Output = T>,
        upload: Option<&Progress>,
    ) -> Result<T, Phase> {
        let timeouts = &self.settings.timeouts;
        let Some(upload) = upload else {
            let sent = tokio::time::timeout(timeouts.head, sending).await;
            return sent.map_err(|_| Phase::Head);
        };
        tokio::pin!(sending);
        loop {
            let (phase, at_most) = match upload.awaits() {
                Awaits::Client => (Phase::ClientBody, timeouts.request_idle),
                Awaits::Upstream => (Phase::RequestBody, timeouts.request_idle),
                Awaits::Nobody | Awaits::Broken => (Phase::Head, timeouts.head),
            };
            let deadline = upload.moved() + at_most;
            if deadline <= Instant::now() {
                return Err(phase);
            }
            // The phase may change meanwhile: look again at least this often.
            let look = deadline.min(Instant::now() + timeouts.head.min(timeouts.request_idle));
            if let Ok(sent) = tokio::time::timeout_at(look, sending.as_mut()).await {
                return Ok(sent);
            }
        }
    }

    fn error(&self, missed: Missed, upload: Option<&Progress>) -> UpstreamError {
        let upstream = self.settings.name.clone();
        let timeouts = &self.settings.timeouts;
        let error = match missed {
            Missed::Timeout(phase) => {
                let after = match phase {
                    Phase::ClientBody | Phase::RequestBody => timeouts.request_idle,
                    _ => timeouts.head,
                };
                return UpstreamError::Timeout {
                    upstream,
                    phase,
                    after,
                };
            }
            Missed::Sent(error) | Missed::Unsent(_, error) => error,
        };
        let broken = upload.is_some_and(|upload| upload.awaits() == Awaits::Broken);
        if broken {
            UpstreamError::ClientBody {
                cause: error.into(),
            }
        } else if error.is_user() {
            UpstreamError::Request {
                what: "the HTTP library refused it",
            }
        } else if error.is_parse() {
            UpstreamError::Protocol {
                upstream,
                cause: error.into(),
            }
        } else {
            UpstreamError::Closed {
                upstream,
                cause: error.into(),
            }
        }
    }
}

/// Whether another address may do better.
fn is_about_address(error: &UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::Connect { .. }
            | UpstreamError::Tls { .. }
            | UpstreamError::Timeout {
                phase: Phase::Connect,
                ..
            }
    )
}
