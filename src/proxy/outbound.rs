//! Forwarding: the request as the app shall see it, sent; the answer handed to [`respond`](super::respond).

use super::authenticate::{Authenticated, COOKIE};
use super::bearer;
use super::body::request::{Bounds, RequestBody};
use super::body::{Cut, Failure, ResponseBody, Tally};
use super::canonical::{Upgrades, strip_hop_by_hop};
use super::close::Closer;
use super::decide::Permitted;
use super::inbound::{Inbound, Payload};
use super::record;
use super::refusal::{self, Refusal};
use super::refused::{Refused, closed_with};
use super::respond;
use super::rewrite::jar::{Place, push_pair};
use super::setup::{AppOrigin, Setup};
use super::stamp::stamp;
use super::subject::Subject;
use super::upstream::forward::passes;
use super::upstream::identity::{Live, Renewed};
use super::upstream::{Peer, UpstreamBody, UpstreamError};
use super::way::Way;
use super::worker::Plane;
use crate::audit::{Banner, Outcome, Receipt};
use crate::store::live::UnderWay;
use crate::telemetry::Limit;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use std::sync::Arc;

/// Sends the request and streams the answer back.
pub async fn forward(
    way: &Way<'_>,
    inbound: &Inbound,
    payload: Payload,
    authenticated: Authenticated,
    mut permitted: Permitted,
    receipt: Receipt,
) -> Result<http::Response<ResponseBody>, Box<Refused>> {
    let plane = way.worker.plane();
    let is_bodiless = payload.first.is_none()
        && payload
            .rest
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream);
    let bounds = Bounds {
        max_bytes: way.app.max_request_body,
        digest: way.digest_request && !is_bodiless,
        idle: way.setup.limits.request_body_idle_timeout,
    };
    let cut = Cut::new(authenticated.session.ended().clone());
    let (body, tally) = RequestBody::new(payload.first, payload.rest, bounds, Some(cut));
    let body = body
        .scanned(permitted.take_scan())
        .stripped(&way.origin.strip);
    let mut closer = Closer {
        receipt,
        metrics: Arc::clone(&plane.metrics),
        under_way: UnderWay::new(&authenticated.session),
        request: (!is_bodiless).then(|| Arc::clone(&tally)),
        started: inbound.started,
        status: 0,
        first_byte: None,
        banner: Banner::NotNeeded,
        upstream: None,
        tap: None,
    };
    let Ok(tap) = record::begin(way, inbound, &authenticated, &permitted).await else {
        let refusal = record::refusal();
        return Err(closed_with(
            closer,
            authenticated,
            refusal,
            Outcome::Refused,
        ));
    };
    closer.tap = tap;
    let body = body.taped(closer.tap.as_ref());
    match send(way, inbound, &authenticated, &permitted, body, &tally).await {
        Ok(response) => {
            closer.first_byte = Some(inbound.started.elapsed());
            closer.upstream = response.body().peer().cloned();
            respond::respond(way, inbound, authenticated, response, closer)
        }
        Err(failed) => {
            closer.upstream = failed.upstream;
            let Failed {
                refusal, outcome, ..
            } = failed;
            Err(closed_with(closer, authenticated, refusal, outcome))
        }
    }
}

/// A request that came through here too often already leads to us, not to an app (RFC 9110 §7.6.3).
pub fn no_circle(
    plane: &Plane,
    setup: &Setup,
    origin: &AppOrigin,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let name = &origin.forward.pseudonym;
    if passes(headers, name) <= setup.limits.max_via_passes {
        return Ok(());
    }
    plane.metrics.hit(Limit::ViaPasses);
    Err(Refusal::new(
        StatusCode::LOOP_DETECTED,
        "via-loop",
        "This request goes in a circle",
        "Its Via field says that it came through here several times. The upstream's address leads back to Locum.",
    ))
}

/// Why an opened exchange has no answer of the app's, and how its record closes.
#[derive(Debug)]
pub struct Failed {
    pub refusal: Refusal,
    pub outcome: Outcome,
    /// Where the connection led that failed, or should have led.
    pub upstream: Option<Peer>,
}

impl From<(Refusal, Outcome)> for Failed {
    fn from((refusal, outcome): (Refusal, Outcome)) -> Self {
        Self {
            refusal,
            outcome,
            upstream: None,
        }
    }
}

async fn send(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    permitted: &Permitted,
    body: RequestBody,
    tally: &Tally,
) -> Result<http::Response<UpstreamBody>, Failed> {
    let max = way.app.max_request_body;
    if max != 0 && declared_length(&inbound.parts.headers) > max {
        way.worker.plane().metrics.hit(Limit::RequestBody);
        return Err((too_large(), Outcome::Refused).into());
    }
    let refused = |refusal| Failed::from((refusal, Outcome::Refused));
    let subject = Subject::new(way, inbound, authenticated);
    let seen = subject.prepare().await.map_err(refused)?;
    let may_repeat = inbound.method_for_app().is_safe() && http_body::Body::is_end_stream(&body);
    let first = request(way, inbound, authenticated, permitted, body, Upgrades::Drop);
    let first = first.map_err(refused)?;
    let bore = first.headers().get(header::AUTHORIZATION).cloned();
    let answer = sent(way, inbound, authenticated, permitted, first, tally).await?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    // The app's session or token may have run out before ours: what could be renewed is shown to it once more.
    let renewed = subject.renew(seen, bore.as_ref()).await.map_err(refused)?;
    if renewed == Renewed::No || !may_repeat {
        return Ok(answer);
    }
    drop(answer);
    let cut = Cut::new(authenticated.session.ended().clone());
    let (empty, _) = RequestBody::new(None, None, Bounds::default(), Some(cut));
    let again = request(
        way,
        inbound,
        authenticated,
        permitted,
        empty,
        Upgrades::Drop,
    );
    let again = again.map_err(refused)?;
    sent(way, inbound, authenticated, permitted, again, tally).await
}

async fn sent(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    permitted: &Permitted,
    outgoing: Request<RequestBody>,
    tally: &Tally,
) -> Result<http::Response<UpstreamBody>, Failed> {
    let again = || request(way, inbound, authenticated, permitted, (), Upgrades::Drop).ok();
    let sending = way
        .origin
        .upstream
        .send_or_again(way.worker.lane(), outgoing, &again);
    tokio::select! {
        biased;
        () = authenticated.session.ended().cancelled() => Err(cut_short()),
        sent = sending => {
            sent.map_err(|error| upstream_failed(way, inbound, Some(tally), &error))
        }
    }
}

/// The request for the upstream: canonical target, headers mapped and stripped, cookies from the jar, identity on.
pub fn request<B>(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    permitted: &Permitted,
    body: B,
    upgrades: Upgrades,
) -> Result<Request<B>, Refusal> {
    let mut headers = inbound.parts.headers.clone();
    strip_hop_by_hop(&mut headers, upgrades);
    way.origin.strip.strip(&mut headers);
    if authenticated.by_bearer {
        headers.remove(header::AUTHORIZATION);
    }
    bearer::strip_grants(way.setup, &mut headers);
    // The client is told to go on by us; a second 100 from the app would say nothing to anybody.
    headers.remove(header::EXPECT);
    authenticated.state.origins.map_request(&mut headers);
    if refusal::wants_page(&headers) {
        respond::prepare_navigation(&mut headers, way.app);
    } else if way.app.replace_origins {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
    set_cookies(way, authenticated, permitted, &mut headers);
    stamp(way.setup, way.origin, inbound, &mut headers);
    let live = Live {
        session: authenticated.session.id,
        grant: &authenticated.session.grant,
        cache: &authenticated.state.identity,
    };
    if let Err(error) = way.origin.identity.apply(live, &mut headers) {
        tracing::error!(%error, upstream = way.origin.upstream_name, "the subject's identity could not be put on; the request was refused");
        return Err(Refusal::unavailable(
            "identity",
            "The customer's identity cannot be stated to the app now.",
        ));
    }
    let mut request = Request::new(body);
    *request.method_mut() = inbound.method_for_app();
    *request.uri_mut() = http::Uri::from(permitted.target().clone());
    *request.headers_mut() = headers;
    Ok(request)
}

/// The app's own cookies come from the jar; of the browser's only those that its scripts are meant to have.
fn set_cookies(
    way: &Way<'_>,
    authenticated: &Authenticated,
    permitted: &Permitted,
    headers: &mut HeaderMap,
) {
    let mut out = String::new();
    let place = Place {
        host: &way.origin.host,
        path: permitted.target().path(),
        is_https: way.origin.is_https,
    };
    authenticated
        .state
        .jar
        .write_cookies(place, way.worker.plane().clock.now(), &mut out);
    for value in headers.get_all(header::COOKIE) {
        let pairs = value
            .to_str()
            .unwrap_or_default()
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        for (name, value) in pairs {
            if name != COOKIE && way.app.browser_cookies.iter().any(|listed| listed == name) {
                push_pair(&mut out, name, value);
            }
        }
    }
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::try_from(out)
        && !value.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// What `Content-Length` announces; 0 where there is none.
fn declared_length(headers: &HeaderMap) -> u64 {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

fn too_large() -> Refusal {
    Refusal::too_big(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "Its body is larger than this app takes.",
    )
}

/// The session ended while the app was at work.
pub fn cut_short() -> Failed {
    ended_meanwhile().into()
}

fn ended_meanwhile() -> (Refusal, Outcome) {
    (
        Refusal::unauthenticated(
            "session-ended",
            "The session ended while the app was at work. It may have acted.",
        ),
        Outcome::Cut,
    )
}

/// A failure on the way to the app, with the address that it was about.
pub fn upstream_failed(
    way: &Way<'_>,
    inbound: &Inbound,
    tally: Option<&Tally>,
    error: &UpstreamError,
) -> Failed {
    Failed {
        upstream: error.peer(),
        ..told(way, inbound, tally, error).into()
    }
}

/// What the client is told of it: its own fault, ours or the app's.
fn told(
    way: &Way<'_>,
    inbound: &Inbound,
    tally: Option<&Tally>,
    error: &UpstreamError,
) -> (Refusal, Outcome) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let body_fault = inbound.body_fault();
    match (tally.and_then(Tally::failure), body_fault) {
        (Some(Failure::TooLarge), _) => {
            way.worker.plane().metrics.hit(Limit::RequestBody);
            return (too_large(), Outcome::Refused);
        }
        (Some(Failure::Ended), _) => return ended_meanwhile(),
        (Some(Failure::Unrecorded), _) => return (record::refusal(), Outcome::Cut),
        (Some(Failure::Idle), _) => {
            way.worker.plane().metrics.hit(Limit::RequestBodyIdle);
            return (super::decide::timed_out(), Outcome::Aborted);
        }
        (Some(Failure::MethodOverride), _) => {
            return (
                Refusal::ambiguous(crate::model::Reason::MethodOverride),
                Outcome::Refused,
            );
        }
        (Some(Failure::Trailer), _) => {
            return (
                Refusal::ambiguous(crate::model::Reason::Trailer),
                Outcome::Refused,
            );
        }
        (_, Some(super::guard::Fault::Ambiguous(reason))) => {
            return (Refusal::ambiguous(reason), Outcome::Refused);
        }
        (_, Some(fault)) => {
            return (
                Refusal::too_big(StatusCode::BAD_REQUEST, fault.name(), fault.words()),
                Outcome::Refused,
            );
        }
        (Some(Failure::Client), None) => {
            let gone = Refusal::new(
                StatusCode::BAD_REQUEST,
                "body-broken",
                "The request body broke off",
                "Send it again.",
            );
            return (gone, Outcome::Aborted);
        }
        (None, None) => {}
    }
    tracing::warn!(%error, cause, remedy = error.remedy(), "the app did not answer");
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        way.worker.plane().metrics.hit(Limit::Upstream);
    }
    let detail = "It may be down or busy. Try again in a moment; the exchange number finds the cause in the log.";
    (
        Refusal::upstream(error.status(), error.name(), detail),
        Outcome::Failed,
    )
}
