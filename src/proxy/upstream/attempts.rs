//! One request's way: pick an address, take or make a connection, send, and try again where that is safe.

use super::body::{Flight, Held, UpstreamBody};
use super::error::{Phase, UpstreamError};
use super::lanes::{Link, Peer};
use super::metrics::count;
use super::obtain::Wanted;
use super::outgoing::{Awaits, Outgoing, Progress};
use super::shared::Shared;
use super::{faults, prepare};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::time::Instant;

/// How one attempt ended without a response.
enum Missed {
    /// Nothing of it was sent: this is the request again.
    Unsent(Box<Request<Outgoing>>, hyper::Error),
    /// It may have been sent.
    Sent(hyper::Error),
    Timeout(Phase),
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// Makes the head of a request without a body once more, for a second attempt; `None`: it cannot be made now. Nearly
/// no request needs one, so none is kept ready.
pub(super) type Again<'a> = &'a (dyn Fn() -> Option<Request<()>> + Sync);

/// The request for the next attempt, where one is safe; else how this one ended.
fn once_more(
    missed: Missed,
    is_left: bool,
    may_repeat: bool,
    repeatable: bool,
    again: Again<'_>,
) -> Result<Request<Outgoing>, Missed> {
    match missed {
        Missed::Unsent(request, _) if is_left => Ok(*request),
        Missed::Sent(error)
            if may_repeat
                && (faults::was_refused(&error)
                    || (repeatable && faults::is_connections(&error))) =>
        {
            let made = again().map(|made| made.map(|()| Outgoing::Empty));
            made.ok_or(Missed::Sent(error))
        }
        missed => Err(missed),
    }
}

impl Shared {
    pub(super) async fn attempts(
        self: &Arc<Self>,
        lane: usize,
        mut request: Request<Outgoing>,
        again: Again<'_>,
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
            let wanted = Wanted {
                lane,
                target,
                upgrade,
                fresh,
                repeatable,
            };
            let (link, reused) = match self.obtain(wanted).await {
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
            let may_repeat = may_repeat && reused && left > 0;
            let mut held = Held {
                link: Some(link),
                upload: upload.clone(),
                flight,
            };
            let missed = match self.exchange(&mut held, request).await {
                Ok(response) => return Ok(self.answer(response, held)),
                Err(missed) => missed,
            };
            self.leave(&held, &missed);
            let peer = held.link.as_ref().map(|link| Arc::clone(link.peer()));
            drop(held);
            request = once_more(missed, left > 0, may_repeat, repeatable, again)
                .map_err(|missed| self.error(missed, upload.as_deref(), peer))?;
            count(&self.lane(lane).counts.retries);
            // One kept connection was stale: the others may be too.
            fresh = true;
        }
    }

    /// Sends no more over a shared connection on which a request failed.
    fn leave(&self, held: &Held, missed: &Missed) {
        let broken = match missed {
            Missed::Unsent(..) => true,
            Missed::Sent(error) => faults::is_connections(error),
            Missed::Timeout(_) => false,
        };
        if let (true, Some(Link::Http2(_, stream, _))) = (broken, &held.link) {
            self.lane(held.flight.lane)
                .leave(held.flight.target, stream);
        }
    }

    fn answer(
        self: &Arc<Self>,
        response: Response<Incoming>,
        mut held: Held,
    ) -> Response<UpstreamBody> {
        let peer = held.link.as_ref().map(|link| Arc::clone(link.peer()));
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            held.link = None;
        }
        let idle = self.settings.timeouts.body_idle;
        response.map(|body| UpstreamBody::new(body, held, peer, idle))
    }

    async fn exchange(
        &self,
        held: &mut Held,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Missed> {
        let upload = held.upload.clone();
        let sent = match &mut held.link {
            Some(Link::Http1(sender, _)) => {
                let sending = sender.try_send_request(request);
                self.within(sending, upload.as_deref()).await
            }
            Some(Link::Http2(sender, ..)) => {
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

    fn error(
        &self,
        missed: Missed,
        upload: Option<&Progress>,
        peer: Option<Peer>,
    ) -> UpstreamError {
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
                    peer,
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
                peer,
            }
        } else {
            UpstreamError::Closed {
                upstream,
                cause: error.into(),
                peer,
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
