//! The life of a request, from end to end: canonical, authenticate, decide, record, forward, rewrite, close.
//! [`handle`] always answers and always records; the stages inside only say yes or why not.

use super::authenticate::{Authenticated, authenticate};
use super::body::ResponseBody;
use super::canonical::{self, Canonical};
use super::decide::{self, Permitted};
use super::guard::{Fault, Note};
use super::hosts::HostMatch;
pub use super::inbound::Arrival;
use super::inbound::Inbound;
use super::refusal::{self, Refusal};
use super::setup::{App, Placement, Setup};
use super::worker::{Plane, Worker};
use super::{inline, outbound, reserved, upgrade};
use crate::audit;
use crate::model::Decision;
use crate::telemetry::Limit;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;

/// A refusal and what was known when it was made, for the record.
pub struct Refused {
    pub refusal: Refusal,
    pub authenticated: Option<Authenticated>,
    pub decision: Option<Decision>,
    pub canonical: Option<String>,
    /// For the record only, never for the client.
    pub detail: String,
    /// The exchange was opened and its closing record says how it ended: no second record.
    pub is_recorded: bool,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, authenticated: None, decision: None, canonical: None, detail: String::new(), is_recorded: false }
    }
}

/// Answers one request. What is not permitted is refused and recorded.
pub async fn handle(worker: Worker, from: Arrival, note: Option<Note>, request: Request<Incoming>) -> Result<Response<ResponseBody>, Infallible> {
    let setup = worker.plane().setup().clone();
    let mut inbound = Inbound::new(from, note, request);
    Ok(match stages(&worker, &setup, &mut inbound).await {
        Ok(response) => response,
        Err(refused) => refuse(worker.plane(), &setup, &inbound, *refused),
    })
}

/// The stages in their order. Each takes what the one before it proved.
async fn stages(worker: &Worker, setup: &Arc<Setup>, inbound: &mut Inbound) -> Result<Response<ResponseBody>, Box<Refused>> {
    let plane = worker.plane();
    if let Some(fault) = inbound.note.as_ref().and_then(|note| note.fault) {
        count_fault(plane, fault);
        return Err(Box::new(guarded(fault).into()));
    }
    let noted = inbound.note.as_ref().map(|note| note.findings).unwrap_or_default();
    let canonical = canonical::canonical(&inbound.parts, noted);
    let host = match canonical.host() {
        Ok(host) => setup.hosts.find(host),
        Err(reason) => return Err(Box::new(Refusal::ambiguous(reason).into())),
    };
    if let Some((place, app)) = inline::place(setup, host, &inbound.parts.headers) {
        return inline::pass(worker, setup, inbound, app, place).await;
    }
    if let Some(path) = canonical.path().strip_prefix("/.locum/") {
        let path = path.to_owned();
        return reserved::answer(plane, setup, inbound, host, &path).await;
    }
    let authenticated = authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers).await.map_err(Refused::from)?;
    let Some(app) = authenticated.app(setup) else {
        return Err(Box::new(Refusal::ambiguous(crate::model::Reason::HostForeign).into()));
    };
    let permitted = match decide::decide(plane, setup, &authenticated, app, inbound, &canonical).await {
        Ok(permitted) => permitted,
        Err(denied) => {
            let mut refused = *denied;
            refused.authenticated = Some(authenticated);
            return Err(Box::new(refused));
        }
    };
    forward(worker, setup, app, inbound, authenticated, permitted, &canonical).await
}

/// Opens the record, then forwards: as a WebSocket or as an ordinary exchange.
async fn forward(
    worker: &Worker,
    setup: &Arc<Setup>,
    app: &App,
    inbound: &mut Inbound,
    authenticated: Authenticated,
    permitted: Permitted,
    canonical: &Canonical<'_>,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let plane = worker.plane();
    let Some(origin) = authenticated.origin(setup) else {
        return Err(Box::new(Refusal::ambiguous(crate::model::Reason::HostForeign).into()));
    };
    let opening = audit::Opening {
        session: Some(&authenticated.state.part),
        policy: Some(&setup.policy_part),
        decision: Some(permitted.decision()),
        app: &app.name,
        canonical: Some(permitted.target()),
        upstream: Some(&origin.upstream_name),
        ..inbound.opening()
    };
    let receipt = match plane.journal.open(&opening).await {
        Ok(receipt) => receipt,
        Err(refused) => {
            plane.metrics.hit(Limit::Journal);
            let refusal = Refusal::unavailable("journal", "Requests cannot be recorded now, so none is let through.");
            return Err(Box::new(Refused { detail: refused.to_string(), is_recorded: true, ..refusal.into() }));
        }
    };
    plane.metrics.in_flight.inc();
    plane.metrics.forwarded.inc();
    if inbound.is_websocket() {
        upgrade::forward(worker, setup, app, origin, inbound, authenticated, permitted, receipt).await
    } else {
        outbound::forward(worker, setup, app, origin, inbound, authenticated, permitted, canonical, receipt).await
    }
}

fn guarded(fault: Fault) -> Refusal {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match fault {
        Fault::Ambiguous(reason) => Refusal { status, ..Refusal::ambiguous(reason) },
        _ => Refusal::too_big(status, fault.name(), fault.words()),
    }
}

fn count_fault(plane: &Plane, fault: Fault) {
    match fault {
        Fault::Ambiguous(_) => {}
        Fault::UriTooLong => plane.metrics.hit(Limit::UriBytes),
        Fault::HeadTooLarge => plane.metrics.hit(Limit::HeadBytes),
        Fault::TooManyHeaders | Fault::TrailersTooLarge => plane.metrics.hit(Limit::HeaderCount),
        Fault::ChunkExtensionsTooLong => plane.metrics.hit(Limit::ChunkExtension),
    }
}

/// Records the refusal, then gives it its form.
fn refuse(plane: &Plane, setup: &Setup, inbound: &Inbound, refused: Refused) -> Response<ResponseBody> {
    let Refused { refusal, authenticated, decision, canonical, detail, is_recorded } = refused;
    let status = refusal.status.as_u16();
    plane.metrics.refused(refusal.reason, status);
    if !is_recorded {
        let app = authenticated.as_ref().and_then(|authenticated| authenticated.app(setup));
        plane.journal.refusal(&audit::Refusal {
            opening: audit::Opening {
                session: authenticated.as_ref().map(|authenticated| &authenticated.state.part),
                policy: Some(&setup.policy_part),
                decision: decision.as_ref(),
                app: app.map_or("", |app| &app.name),
                canonical: canonical.as_deref(),
                ..inbound.opening()
            },
            status,
            reason: refusal.reason,
            detail: &detail,
        });
    }
    let is_faulty = inbound.note.as_ref().is_some_and(|note| note.fault.is_some());
    let mut response = render(&refusal, inbound, authenticated.as_ref());
    if is_faulty {
        // What follows on this connection cannot be trusted to be where it seems.
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    response
}

/// A page with the banner for a person, a problem document for a program.
fn render(refusal: &Refusal, inbound: &Inbound, authenticated: Option<&Authenticated>) -> Response<ResponseBody> {
    if !refusal::wants_page(&inbound.parts.headers) {
        return refusal::problem(refusal, inbound.exchange).map(ResponseBody::whole);
    }
    let scopes = authenticated.map(|authenticated| scopes(&authenticated.session.grant));
    let page = refusal::page(refusal, inbound.exchange, scopes.as_deref());
    match authenticated {
        None => page.map(ResponseBody::whole),
        Some(authenticated) => super::respond::with_banner(page, &authenticated.state.banner),
    }
}

fn scopes(grant: &crate::model::Grant) -> String {
    grant.scopes.iter().map(crate::model::Scope::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether requests without a support session have business on this host.
pub fn is_inline(setup: &Setup, host: HostMatch) -> bool {
    matches!(host, HostMatch::App(place) if setup.apps.get(place.app).is_some_and(|app| app.placement == Placement::Inline))
}
