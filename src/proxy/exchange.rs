//! The life of a request, from end to end: canonical, authenticate, decide, record, forward, rewrite, close.
//! [`handle`] always answers and always records; the stages inside only say yes or why not.

use super::authenticate::{Authenticated, authenticate};
use super::body::ResponseBody;
use super::canonical::{self, Canonical, Seen};
use super::decide::{self, Permitted};
use super::guard::{Fault, Note};
use super::hosts::HostMatch;
pub use super::inbound::Arrival;
use super::inbound::{Inbound, Payload};
use super::refusal::Refusal;
use super::refused::{Refused, lagging, unrecordable};
use super::refusing::refuse;
use super::rewrite::banner;
use super::setup::{App, Setup};
use super::way::Way;
use super::worker::{Plane, Worker};
use super::{handshake, inline, measure, outbound, own, preflight, record, reserved, upgrade};
use crate::audit;
use crate::model::{EndCause, Reason};
use crate::telemetry::Limit;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;

/// What is served at all, under the policy.
const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

type Answer = Result<Response<ResponseBody>, Box<Refused>>;

/// Answers one request. What is not permitted is refused and recorded.
pub async fn handle(
    worker: Worker,
    from: Arrival,
    note: Option<Note>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let setup = worker.plane().setup().clone();
    let busy = from.busy.clone();
    let (inbound, payload) = Inbound::new(from, note, request);
    Ok(match stages(&worker, &setup, &inbound, payload).await {
        Ok(response) => response,
        Err(refused) => refuse(worker.plane(), &setup, &inbound, *refused).await,
    }
    .map(|body| body.keeping(busy)))
}

/// The stages in their order. Each takes what the one before it proved.
async fn stages(
    worker: &Worker,
    setup: &Arc<Setup>,
    inbound: &Inbound,
    payload: Payload,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let plane = worker.plane();
    if let Some(fault) = fault(setup, inbound) {
        count_fault(plane, fault);
        return Err(Box::new(guarded(fault).into()));
    }
    let seen = Seen {
        is_tls: setup.scheme == "https",
        note: inbound.note.as_ref(),
        serves: None,
    };
    let canonical = canonical::canonical(&inbound.parts, &seen);
    let Some(named) = &canonical.host else {
        let refusal = Refusal::findings(canonical.findings)
            .unwrap_or_else(|| Refusal::ambiguous(Reason::HostInvalid));
        return Err(Box::new(refusal.into()));
    };
    let host = setup.hosts.find(&named.name, named.port);
    // Before ordinary requests pass: on a shared origin a session starts where there is none yet.
    if reserved::is_reserved(&canonical.path) {
        return reserved::answer(plane, setup, inbound, payload, host, &canonical).await;
    }
    if let Some(place) = inline::place(setup, host, &inbound.parts.headers) {
        return inline::pass(worker, setup, inbound, payload, place).await;
    }
    if preflight::is_one(inbound) {
        return preflight::answer(plane, setup, inbound, host, &canonical).await;
    }
    enforce(worker, setup, inbound, payload, host, &canonical).await
}

/// The stages of a support session's request, once it is told from an ordinary customer's.
async fn enforce(
    worker: &Worker,
    setup: &Arc<Setup>,
    inbound: &Inbound,
    mut payload: Payload,
    host: HostMatch,
    canonical: &Canonical<'_>,
) -> Answer {
    let plane = worker.plane();
    let authenticated = authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers)
        .await
        // No route's policy tolerates what nobody stands behind: what is ambiguous is that first of all.
        .map_err(|mut why| {
            if let Some(refusal) = Refusal::findings(canonical.findings) {
                why.refusal = refusal;
            }
            Refused::from(why)
        })?;
    let authenticated = spend(plane, authenticated)?;
    if banner::is_service_worker(&inbound.parts.headers) {
        return no_service_worker(plane, setup, inbound, &authenticated).await;
    }
    if canonical.path == "*" && canonical.findings.is_empty() {
        return about_the_server(plane, setup, inbound, &authenticated).await;
    }
    if let Err(refusal) = presentable(inbound, &payload) {
        return Err(Box::new(Refused {
            authenticated: Some(authenticated),
            ..refusal.into()
        }));
    }
    let Some(app) = authenticated.app(setup) else {
        return Err(Box::new(Refusal::ambiguous(Reason::HostForeign).into()));
    };
    let permitted = match decide::decide(
        plane,
        setup,
        &authenticated,
        app,
        inbound,
        &mut payload,
        canonical,
    )
    .await
    {
        Ok(permitted) => permitted,
        Err(denied) => {
            let mut refused = *denied;
            refused.authenticated = Some(authenticated);
            return Err(Box::new(refused));
        }
    };
    forward(
        worker,
        setup,
        app,
        inbound,
        payload,
        authenticated,
        permitted,
    )
    .await
}

/// Counts the request. One beyond the grant's budget ends the session: whatever runs away stops here.
fn spend(plane: &Plane, authenticated: Authenticated) -> Result<Authenticated, Box<Refused>> {
    let (session, now) = (&authenticated.session, plane.clock.now());
    session.touch(now);
    let count = session.usage().request(now);
    let Some(budget) = session.grant.budget.filter(|budget| count > *budget) else {
        return Ok(authenticated);
    };
    plane.metrics.hit(Limit::RequestBudget);
    drop(plane.live.end(session.id, EndCause::Budget, "locum"));
    let detail = format!("It may send {budget} requests, and has ended with the one after.");
    let mut refusal = Refusal::unauthenticated("budget-spent", detail);
    refusal.title = "This session has spent its budget".into();
    Err(Box::new(Refused {
        authenticated: Some(authenticated),
        ..refusal.into()
    }))
}

/// What the guard refuses, or what is beyond the same limits over HTTP/2.
fn fault(setup: &Setup, inbound: &Inbound) -> Option<Fault> {
    if inbound.is_h2() {
        return measure::over(&inbound.parts, &setup.limits);
    }
    inbound.note.as_ref().and_then(|note| note.fault)
}

/// A service worker would answer navigations from a cache that knows no banner and no record: it gets a script
/// that does nothing instead. Recorded like a refusal, since nothing is forwarded.
async fn no_service_worker(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    authenticated: &Authenticated,
) -> Answer {
    let words = "answered with an empty script";
    answered(
        plane,
        setup,
        inbound,
        authenticated,
        200,
        "service-worker",
        words,
    )
    .await?;
    let script = ResponseBody::whole(banner::SERVICE_WORKER);
    Ok(own::typed(StatusCode::OK, "text/javascript", script))
}

/// What no policy can permit: TRACE and its other name TRACK, whose answer would show the operator the customer's cookies and the assertion
/// (RFC 9110 §9.3.8), and a WebSocket's handshake that is none.
fn presentable(inbound: &Inbound, payload: &Payload) -> Result<(), Refusal> {
    let method = &inbound.parts.method;
    if *method == http::Method::TRACE || method.as_str() == "TRACK" {
        return Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "trace",
            "TRACE is not passed on",
            "The app's answer would show what only the app may see.",
        ));
    }
    if inbound.is_websocket() {
        handshake::check(inbound, payload.has_body())?;
    }
    Ok(())
}

/// `OPTIONS *` asks of the server, not of anything on it (RFC 9110 §9.3.7), and the server that the client talks to
/// is Locum: no policy row could say what it would mean to the app, so it never gets there.
async fn about_the_server(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    authenticated: &Authenticated,
) -> Answer {
    let words = "answered with the methods that are served";
    answered(
        plane,
        setup,
        inbound,
        authenticated,
        204,
        "server-options",
        words,
    )
    .await?;
    let mut response = own::answer(StatusCode::NO_CONTENT, ResponseBody::empty());
    response.headers_mut().insert(header::ALLOW, METHODS);
    Ok(response)
}

/// Records what Locum answers by itself, for nothing to be forwarded.
async fn answered(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    authenticated: &Authenticated,
    status: u16,
    reason: &str,
    detail: &str,
) -> Result<(), Box<Refused>> {
    let record = audit::Refusal {
        opening: audit::Opening {
            session: Some(&authenticated.state.part),
            policy: Some(&setup.policy_part),
            ..inbound.opening()
        },
        status,
        reason,
        detail,
    };
    let recorded = plane.journal.refuse(&record).await;
    recorded.map_err(|why| {
        plane.metrics.hit(Limit::Journal);
        Box::new(Refused {
            is_recorded: true,
            ..unrecordable(&why).into()
        })
    })
}

/// Opens the record, then forwards: as a WebSocket or as an ordinary exchange.
async fn forward(
    worker: &Worker,
    setup: &Arc<Setup>,
    app: &App,
    inbound: &Inbound,
    payload: Payload,
    authenticated: Authenticated,
    permitted: Permitted,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let plane = worker.plane();
    let Some(origin) = authenticated.origin(setup) else {
        return Err(Box::new(Refusal::ambiguous(Reason::HostForeign).into()));
    };
    if let Err(refusal) = outbound::no_circle(plane, setup, origin, &inbound.parts.headers) {
        return Err(Box::new(Refused {
            decision: Some(permitted.decision().clone()),
            canonical: Some(permitted.target().as_str().to_owned()),
            authenticated: Some(authenticated),
            ..refusal.into()
        }));
    }
    let grant = &authenticated.session.grant;
    let record = record::rule(&setup.recording, grant, permitted.verdict());
    let opening = audit::Opening {
        record: record.record,
        session: Some(&authenticated.state.part),
        policy: Some(&setup.policy_part),
        decision: Some(permitted.decision()),
        app: &app.name,
        canonical: Some(permitted.target().as_str()),
        upstream: Some(&origin.upstream_name),
        ..inbound.opening()
    };
    let receipt = match plane.journal.open(&opening).await {
        Ok(receipt) => receipt,
        Err(refused) => {
            return Err(unopened(plane, &refused, authenticated, &permitted));
        }
    };
    plane.metrics.in_flight.inc();
    plane.metrics.forwarded.inc();
    let is_change = inbound.is_websocket() || !inbound.method_for_app().is_safe();
    authenticated.session.usage().forwarded(is_change);
    let tier = permitted.decision().tier;
    let (digest_request, digest_response) = setup.digests.of(record.record, tier);
    let way = Way {
        worker,
        setup,
        app,
        origin,
        record,
        digest_response,
        digest_request,
    };
    if inbound.is_websocket() {
        upgrade::forward(&way, inbound, payload, authenticated, permitted, receipt).await
    } else {
        outbound::forward(&way, inbound, payload, authenticated, permitted, receipt).await
    }
}

/// The record could not be kept; or it could, and a sink lags: then the refusal is on record at least.
fn unopened(
    plane: &Plane,
    why: &audit::Refused,
    authenticated: Authenticated,
    permitted: &Permitted,
) -> Box<Refused> {
    if let Some(sink) = why.sink() {
        plane.metrics.hit(Limit::SinkLag);
        return Box::new(Refused {
            decision: Some(permitted.decision().clone()),
            canonical: Some(permitted.target().as_str().to_owned()),
            authenticated: Some(authenticated),
            detail: sink.to_owned(),
            ..lagging().into()
        });
    }
    plane.metrics.hit(Limit::Journal);
    tracing::error!(error = %why, "a request could not be recorded and was refused");
    Box::new(Refused {
        is_recorded: true,
        ..unrecordable(why).into()
    })
}

fn guarded(fault: Fault) -> Refusal {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match fault {
        Fault::Ambiguous(reason) => Refusal {
            status,
            ..Refusal::ambiguous(reason)
        },
        _ => Refusal::too_big(status, fault.name(), fault.words()),
    }
}

fn count_fault(plane: &Plane, fault: Fault) {
    match fault {
        Fault::Ambiguous(_) => {}
        Fault::HeadTimeout => plane.metrics.hit(Limit::HeaderTimeout),
        Fault::UriTooLong => plane.metrics.hit(Limit::UriBytes),
        Fault::HeadTooLarge => plane.metrics.hit(Limit::HeadBytes),
        Fault::TooManyHeaders | Fault::TrailersTooLarge => plane.metrics.hit(Limit::HeaderCount),
        Fault::ChunkExtensionsTooLong => plane.metrics.hit(Limit::ChunkExtension),
    }
}
