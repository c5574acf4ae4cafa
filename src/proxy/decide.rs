//! The policy stage: from an authenticated request to a permitted one. [`Permitted`] has no other maker.

use super::authenticate::Authenticated;
use super::budget::Share;
use super::canonical::Canonical;
use super::inbound::{Inbound, Payload};
use super::refusal::{Elevation, Refusal};
use super::refused::Refused;
use super::setup::{App, Setup};
use super::worker::Plane;
use crate::audit::Event;
use crate::model::{Decision, Reason};
use crate::policy::{BodyNeed, Facts, GrantFacts, OverrideScan, Verdict, Why};
use crate::telemetry::Limit;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::uri::PathAndQuery;
use http_body_util::BodyExt as _;

/// The proof that policy permitted this very request.
#[derive(Debug)]
pub struct Permitted {
    verdict: Verdict,
    /// Path and query as policy saw them: what the upstream gets.
    target: PathAndQuery,
    scan: Option<OverrideScan>,
}

impl Permitted {
    /// What has to look at a form that streams by; taken once.
    pub fn take_scan(&mut self) -> Option<OverrideScan> {
        self.scan.take()
    }

    pub fn decision(&self) -> &Decision {
        &self.verdict.decision
    }

    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub fn target(&self) -> &PathAndQuery {
        &self.target
    }
}

/// Routes, reads of the body what the rows need, decides; then lets a candidate policy say what it would.
pub async fn decide(
    plane: &Plane,
    setup: &Setup,
    authenticated: &Authenticated,
    app: &App,
    inbound: &Inbound,
    payload: &mut Payload,
    canonical: &Canonical<'_>,
) -> Result<Permitted, Box<Refused>> {
    let facts = Facts {
        app: &app.name,
        method: inbound.method(),
        path: &canonical.path,
        query: canonical.query.as_deref(),
        headers: &inbound.parts.headers,
        is_websocket: canonical.is_websocket,
    };
    let routed = setup.policy.route(&facts);
    let relaxed = routed.relaxed();
    let untolerated = canonical.findings.without(relaxed);
    if let Some(refusal) = Refusal::findings(untolerated) {
        return Err(denied(refusal, None, None));
    }
    let target = canonical
        .path_and_query()
        .map_err(|_| denied(too_long(), None, None))?;
    let grant = grant_facts(plane, authenticated, inbound);
    let need = routed.body_need();
    let body = match need {
        Some(need) => buffer(plane, setup, inbound, payload, authenticated, need).await?,
        None => Some(Bytes::new()),
    };
    let verdict = routed.decide(&grant, body.as_deref());
    shadow(
        plane,
        setup,
        authenticated,
        inbound,
        &facts,
        &grant,
        need,
        body.as_deref(),
        &verdict,
    );
    if verdict.is_permit() {
        Ok(Permitted {
            verdict,
            target,
            scan: routed.override_scan(),
        })
    } else {
        let elevation = elevation(setup, authenticated, inbound, &verdict);
        let mut refused = explain(verdict, &target);
        refused.refusal.elevation = elevation;
        Err(refused)
    }
}

fn grant_facts<'a>(
    plane: &Plane,
    authenticated: &'a Authenticated,
    inbound: &Inbound,
) -> GrantFacts<'a> {
    let grant = &authenticated.session.grant;
    GrantFacts {
        scopes: &grant.scopes,
        operator: &grant.operator,
        subject: &grant.subject,
        tenant: &grant.tenant,
        ticket: &grant.ticket,
        approvals: &grant.approvals,
        break_glass: grant.break_glass,
        client: Some(inbound.client().address.ip()),
        now: plane.clock.now(),
    }
}

fn denied(refusal: Refusal, decision: Option<Decision>, canonical: Option<String>) -> Box<Refused> {
    Box::new(Refused {
        decision,
        canonical,
        ..refusal.into()
    })
}

/// A verdict of no, in the words and with the status that its reason has.
fn explain(verdict: Verdict, target: &PathAndQuery) -> Box<Refused> {
    let refusal = match (verdict.why, verdict.findings.first()) {
        (_, Some(reason)) => Refusal::ambiguous(reason),
        (Why::MethodOverride, None) => Refusal::ambiguous(Reason::MethodOverride),
        _ => Refusal::forbidden(&verdict.decision),
    };
    let detail = verdict.why.words().to_owned();
    Box::new(Refused {
        decision: Some(verdict.decision),
        canonical: Some(target.as_str().to_owned()),
        detail,
        ..refusal.into()
    })
}

/// Where one asks for what was refused: only where a request could bring it, so never past a deny row, a row that is
/// `never`, or a condition.
fn elevation(
    setup: &Setup,
    authenticated: &Authenticated,
    inbound: &Inbound,
    verdict: &Verdict,
) -> Option<Box<Elevation>> {
    let decision = &verdict.decision;
    let portal = setup.portal.as_deref()?;
    if verdict.why != Why::OutOfScope || !setup.policy.may_be_asked(&decision.action) {
        return None;
    }
    let grant = &authenticated.session.grant;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("app", &grant.app)
        .append_pair("tenant", &grant.tenant.id)
        .append_pair("subject", &grant.subject.id)
        .append_pair("ticket", &grant.ticket)
        .append_pair("action", &decision.action)
        .append_pair("rule", &decision.rule)
        .append_pair("exchange", &inbound.exchange.to_string())
        .finish();
    let url = format!("{portal}/requests/new?{query}");
    Some(Box::new(Elevation(url)))
}

/// Reads up to `max_bytes` of the body. `None`: it is longer.
async fn buffer(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    payload: &mut Payload,
    authenticated: &Authenticated,
    need: BodyNeed,
) -> Result<Option<Bytes>, Box<Refused>> {
    let Some(mut body) = payload.rest.take() else {
        return Ok(Some(Bytes::new()));
    };
    let share = plane.policy_buffers.share();
    let bounds = (need.max_bytes, setup.limits.max_policy_buffers);
    let reading = read(&mut body, share, bounds);
    let read = tokio::select! {
        biased;
        () = authenticated.session.ended().cancelled() => Err(ended_while_reading()),
        read = tokio::time::timeout(setup.limits.request_body_idle_timeout, reading) => read.unwrap_or_else(|_| {
            plane.metrics.hit(Limit::RequestBodyIdle);
            Err(timed_out())
        }),
    };
    match read {
        Ok(Read::Whole(bytes)) => {
            payload.first = (!bytes.is_empty()).then(|| bytes.clone());
            Ok(Some(bytes))
        }
        Ok(Read::TooLong) => {
            plane.metrics.hit(Limit::PolicyBody);
            Ok(None)
        }
        Ok(Read::NoRoom) => {
            plane.metrics.hit(Limit::PolicyBuffers);
            Err(denied(no_room(), None, None))
        }
        Err(refusal) => {
            // The guard knows what was wrong with the framing; hyper only says that it broke.
            let fault = inbound.body_fault();
            let refusal = match fault {
                Some(super::guard::Fault::Ambiguous(reason)) => Refusal::ambiguous(reason),
                _ => refusal,
            };
            Err(denied(refusal, None, None))
        }
    }
}

enum Read {
    Whole(Bytes),
    TooLong,
    /// All requests together hold as much as they may.
    NoRoom,
}

/// `max`: bytes of this body, and of all bodies that are held.
async fn read(
    body: &mut hyper::body::Incoming,
    mut share: Share,
    max: (usize, usize),
) -> Result<Read, Refusal> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| broken())?;
        if let Some(data) = frame.data_ref() {
            if all.len() + data.len() > max.0 {
                return Ok(Read::TooLong);
            }
            if !share.grow(data.len(), max.1) {
                return Ok(Read::NoRoom);
            }
            all.extend_from_slice(data);
        }
    }
    Ok(Read::Whole(share.keep(all.freeze())))
}

pub(super) fn broken() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "body-broken",
        "The request body broke off",
        "Send it again.",
    )
}

fn no_room() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "policy-buffers-full",
        "Too many requests are being judged at once",
        "Its body must be read before it can be permitted, and there is no room for it now. Nothing was sent to the app. Send it again in a moment.",
    )
}

fn too_long() -> Refusal {
    Refusal::too_big(
        StatusCode::URI_TOO_LONG,
        "uri-too-long",
        "Its target is too long once it is encoded.",
    )
}

pub(super) fn timed_out() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_TIMEOUT,
        "body-timeout",
        "The request body took too long",
        "Send it again.",
    )
}

fn ended_while_reading() -> Refusal {
    Refusal::unauthenticated(
        "session-ended",
        "The session ended while the request was arriving.",
    )
}

/// A candidate policy decides beside the live one; where it differs, that is recorded and nothing else.
#[allow(clippy::too_many_arguments)] // everything that the two decisions have in common
fn shadow(
    plane: &Plane,
    setup: &Setup,
    authenticated: &Authenticated,
    inbound: &Inbound,
    facts: &Facts<'_>,
    grant: &GrantFacts<'_>,
    kept: Option<BodyNeed>,
    body: Option<&[u8]>,
    live: &Verdict,
) {
    let Some(shadow) = &setup.shadow else { return };
    let routed = shadow.policy.route(facts);
    // The body was not kept for the candidate alone: on an empty one it would differ falsely.
    if routed.body_need().is_some() && kept.is_none() {
        return;
    }
    let candidate = routed.decide(grant, body);
    if let Some(difference) = shadow.differ.compare(live, &candidate) {
        plane.journal.note(&Event::ShadowDiffers {
            session: &authenticated.state.part,
            exchange: inbound.exchange,
            live_rule: &difference.live.rule,
            shadow_rule: &difference.candidate.rule,
            shadow_permits: candidate.is_permit(),
            shadow_digest: &difference.candidate.digest,
        });
    }
}
