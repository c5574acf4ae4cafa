//! Inline placement: everybody's traffic. An ordinary request passes with nothing changed but what claims
//! impersonation; one that shows a support session is enforced like any other.

use super::authenticate::{COOKIE, Shown, shown};
use super::bearer;
use super::body::ResponseBody;
use super::body::request::{Bounds, RequestBody};
use super::canonical::{Upgrades, strip_hop_by_hop};
use super::hosts::{HostMatch, Place};
use super::inbound::{Inbound, Payload};
use super::outbound;
use super::refusal::Refusal;
use super::refused::Refused;
use super::setup::{AppOrigin, Placement, Setup};
use super::stamp::stamp;
use super::upgrade;
use super::upstream::{UpstreamBody, UpstreamError};
use super::worker::Worker;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

/// The place of an app whose ordinary requests pass, if this is one of them.
pub fn place(setup: &Setup, host: HostMatch, headers: &HeaderMap) -> Option<Place> {
    let HostMatch::App(place) = host else {
        return None;
    };
    let app = setup.apps.get(place.app)?;
    if app.placement != Placement::Inline {
        return None;
    }
    match shown(headers) {
        Shown::Nothing => Some(place),
        // The app's customers bear tokens of its own: only what claims to be a grant is ours to judge.
        Shown::Bearer(token) => (!setup.bearers.claims(token)).then_some(place),
        Shown::Cookie(..) | Shown::Garbled => None,
    }
}

/// Forwards an ordinary customer's request.
pub async fn pass(
    worker: &Worker,
    setup: &Setup,
    inbound: &Inbound,
    payload: Payload,
    place: Place,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let origin = setup
        .apps
        .get(place.app)
        .and_then(|app| app.origins.get(place.origin));
    let Some(origin) = origin else {
        return Err(Box::new(
            Refusal::ambiguous(crate::model::Reason::HostForeign).into(),
        ));
    };
    outbound::no_circle(worker.plane(), setup, origin, &inbound.parts.headers)
        .map_err(unrecorded)?;
    worker.plane().metrics.passed.inc();
    let upgrading = payload.upgrade;
    let (body, _) = RequestBody::new(
        payload.first,
        payload.rest,
        Bounds {
            max_bytes: 0,
            digest: false,
            idle: setup.limits.request_body_idle_timeout,
        },
        None,
    );
    let body = body.stripped(&origin.strip);
    let request = head(setup, origin, inbound).map(|()| body);
    if inbound.is_websocket() {
        return upgrade::pass(worker, inbound, upgrading, origin, request).await;
    }
    let again = || Some(head(setup, origin, inbound));
    let sending = origin
        .upstream
        .send_or_again(worker.lane(), request, &again);
    answer(sending.await)
}

/// The customer's own request, without what only Locum may say.
fn head(setup: &Setup, origin: &AppOrigin, inbound: &Inbound) -> Request<()> {
    let upgrades = if inbound.is_websocket() {
        Upgrades::KeepWebSocket
    } else {
        Upgrades::Drop
    };
    let mut headers = inbound.parts.headers.clone();
    strip_hop_by_hop(&mut headers, upgrades);
    origin.strip.strip(&mut headers);
    headers.remove(header::EXPECT);
    strip_cookie(&mut headers);
    bearer::strip_grants(setup, &mut headers);
    stamp(setup, origin, inbound, &mut headers);
    let mut request = Request::new(());
    *request.method_mut() = inbound.method_for_app();
    let target = inbound.parts.uri.path_and_query().cloned();
    *request.uri_mut() = target.map(http::Uri::from).unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

/// An ordinary customer is nobody's session: there is nothing to put on the audit record.
fn unrecorded(refusal: Refusal) -> Box<Refused> {
    Box::new(Refused {
        is_recorded: true,
        ..refusal.into()
    })
}

fn answer(
    sent: Result<Response<UpstreamBody>, UpstreamError>,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    match sent {
        Ok(response) if response.status().is_informational() => {
            let detail = "It changed the protocol, which nobody asked it to.";
            let status = StatusCode::BAD_GATEWAY;
            Err(unrecorded(Refusal::upstream(
                status,
                "upgrade-unasked",
                detail,
            )))
        }
        Ok(mut response) => {
            strip_hop_by_hop(response.headers_mut(), Upgrades::Drop);
            Ok(response.map(|body| ResponseBody::passed(super::respond::source(body))))
        }
        Err(error) => {
            tracing::warn!(%error, remedy = error.remedy(), "the app did not answer");
            let detail = "Try again in a moment.";
            Err(unrecorded(Refusal::upstream(
                error.status(),
                error.name(),
                detail,
            )))
        }
    }
}

/// A name that only Locum may use never reaches the app, whatever its value. HTTP/2 sends each cookie as a
/// field of its own; outside it they are one (RFC 9113 §8.2.3).
fn strip_cookie(headers: &mut HeaderMap) {
    let has =
        |value: &HeaderValue| memchr::memmem::find(value.as_bytes(), COOKIE.as_bytes()).is_some();
    let mut values = headers.get_all(header::COOKIE).iter();
    let is_one = values.next().is_none_or(|first| !has(first)) && values.next().is_none();
    if is_one {
        return;
    }
    let mut kept = String::new();
    for value in headers.get_all(header::COOKIE) {
        for pair in value.to_str().unwrap_or_default().split(';').map(str::trim) {
            let name = pair.split('=').next().unwrap_or_default();
            if !pair.is_empty() && name != COOKIE {
                if !kept.is_empty() {
                    kept.push_str("; ");
                }
                kept.push_str(pair);
            }
        }
    }
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::try_from(kept)
        && !value.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}
