//! `/.locum/` on every origin of ours: starting a session, its status, ending it. Never forwarded.

use super::authenticate::{Authenticated, COOKIE, authenticate};
use super::bearer;
use super::body::ResponseBody;
use super::canonical::Canonical;
use super::exchange::Refused;
use super::hosts::{HostMatch, Place};
use super::inbound::{Inbound, Payload};
use super::refusal::{self, Refusal};
use super::session::{self, State};
use super::setup::{App, OriginMode, Setup};
use super::worker::Plane;
use crate::model::{EndCause, Secret, SessionId};
use crate::store::RedeemRefused;
use crate::store::live::{Found, LiveSession, RedeemError};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use std::sync::Arc;

/// Every reserved path begins so.
pub const PREFIX: &str = "/.locum/";

/// The longest body that a reserved path reads: an exchanged grant.
const MAX_FORM: usize = 16 * 1024;

type Answer = Result<Response<ResponseBody>, Box<Refused>>;

/// Answers a reserved path. `host` is the origin that it was asked on.
pub async fn answer(plane: &Plane, setup: &Setup, inbound: &Inbound, payload: Payload, host: HostMatch, canonical: &Canonical<'_>) -> Answer {
    if let Some(refusal) = Refusal::findings(canonical.findings) {
        return Err(Box::new(refusal.into()));
    }
    let path = canonical.path.strip_prefix(PREFIX).unwrap_or_default();
    match (path, &inbound.parts.method) {
        ("page.css", &Method::GET | &Method::HEAD) => Ok(asset("text/css; charset=utf-8", refusal::CSS)),
        ("start", &Method::GET) => start(plane, setup, inbound, host, canonical.query.as_deref()).await,
        ("start", &Method::POST) => exchange(plane, setup, inbound, payload, host).await,
        ("end", &Method::POST) => end(plane, setup, inbound, host).await,
        ("status", &Method::GET) => status(plane, setup, inbound, host).await,
        ("session", &Method::GET) => why(plane, setup, inbound, host).await,
        ("start" | "end" | "status" | "session" | "page.css", _) => Err(Box::new(wrong_method().into())),
        _ => Err(Box::new(not_found().into())),
    }
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "reserved-path", "There is nothing here", "Paths under /.locum/ belong to Locum and are never forwarded.")
}

fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "reserved-method", "This cannot be done this way", "Use the links and buttons of the page.")
}

/// Redeems a start code: the session's cookie, and on to the app. Sessions with several origins pass through each.
async fn start(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch, query: Option<&str>) -> Answer {
    let code = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("code="))).and_then(Secret::parse);
    let Some(code) = code else { return Err(Box::new(no_start("start-code-missing", "the link has no start code").into())) };
    let (place, id) = match host {
        HostMatch::Session(place, id) => (place, id),
        HostMatch::App(place) => (place, shared_session(query).ok_or_else(|| Box::new(Refused::from(not_found())))?),
        HostMatch::Unknown => return Err(Box::new(Refusal::ambiguous(crate::model::Reason::HostForeign).into())),
    };
    let Some(app) = setup.apps.get(place.app) else { return Err(Box::new(not_found().into())) };
    // A session that lives already is handed from one of its origins to the next, not started again.
    if matches!(plane.live.find(id), Found::Live(_)) || place.origin > 0 {
        if let Ok(answer) = next_origin(plane, setup, app, place, id, &code) {
            return Ok(answer);
        }
    }
    let binding = bearer::binding(app.binding, inbound.client());
    let redeemed = plane.live.redeem(id, &code, binding).await.map_err(|error| Box::new(redeem_refused(plane, inbound, &error).into()))?;
    if redeemed.session.grant.app != app.name {
        return Err(Box::new(not_found().into()));
    }
    Ok(enter(plane, setup, app, &redeemed.session, place, redeemed.cookie))
}

/// With a shared origin the host does not name the session, so the link does.
fn shared_session(query: Option<&str>) -> Option<SessionId> {
    query?.split('&').find_map(|pair| pair.strip_prefix("session="))?.parse().ok()
}

fn no_start(reason: &'static str, why: impl std::fmt::Display) -> Refusal {
    let detail = format!("It did not work because {why}. Ask for a new link where you got this one.");
    Refusal::new(StatusCode::UNAUTHORIZED, reason, "This start link does not work", detail)
}

fn redeem_refused(plane: &Plane, inbound: &Inbound, error: &RedeemError) -> Refusal {
    match error {
        RedeemError::Refused(why @ RedeemRefused::Used { .. }) => {
            // Two people have the link: whoever watches should know.
            plane.metrics.alerts.inc();
            let alert = crate::audit::Event::Alert {
                kind: "start-code-reused",
                session: None,
                exchange: Some(inbound.exchange),
                client: Some(inbound.client().address.ip()),
                detail: "a start link was opened a second time",
            };
            plane.journal.note(&alert);
            no_start("start-code-used", why)
        }
        RedeemError::Refused(why) => no_start("start-code-refused", why),
        RedeemError::Stale(why) => Refusal::unavailable("stale-store", format!("Sessions cannot be started now: {why}.")),
        RedeemError::Full => Refusal::unavailable("sessions-full", "As many sessions as allowed are open. Try again when one has ended."),
        RedeemError::Store(error) => {
            tracing::error!(%error, "a start code could not be redeemed");
            Refusal::unavailable("store", "Sessions cannot be started now.")
        }
    }
}

/// Sets the cookie here, then sends the browser to the session's next origin, or to the app's front page.
fn enter(plane: &Plane, setup: &Setup, app: &App, live: &Arc<LiveSession>, place: Place, cookie: Secret) -> Response<ResponseBody> {
    let value = format!("{COOKIE}={}.{}; Path=/; Secure; HttpOnly; SameSite=Lax", live.id, cookie.reveal());
    let next = session::state(live, app, setup).map_or_else(|| "/".to_owned(), |state| next_url(plane, setup, app, live, &state, place, cookie));
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    refusal::own_headers(headers);
    insert(headers, header::SET_COOKIE, value);
    insert(headers, header::LOCATION, next);
    response
}

fn next_url(plane: &Plane, setup: &Setup, app: &App, live: &LiveSession, state: &State, place: Place, cookie: Secret) -> String {
    let main = app.origins.first().map(|main| setup.session_origin(app, main, live.id)).unwrap_or_default();
    let next = app.origins.get(place.origin + 1).filter(|_| app.origin == OriginMode::Session);
    match next.and_then(|next| Some((next, state.hand_off(cookie, plane.clock.now())?))) {
        Some((next, code)) => format!("{}{PREFIX}start?code={}", setup.session_origin(app, next, live.id), code.reveal()),
        None => format!("{main}/"),
    }
}

fn next_origin(plane: &Plane, setup: &Setup, app: &App, place: Place, id: SessionId, code: &Secret) -> Answer {
    let refused = || Box::new(Refused::from(no_start("hand-off", "it was used before, or took too long")));
    let Found::Live(live) = plane.live.find(id) else { return Err(refused()) };
    let state = session::state(&live, app, setup).ok_or_else(refused)?;
    let cookie = state.take_handoff(code, plane.clock.now()).ok_or_else(refused)?;
    Ok(enter(plane, setup, app, &live, place, cookie))
}

/// `POST /.locum/start` with a signed grant: a browser session for it. The body is `grant=<jwt>` or the token itself.
async fn exchange(plane: &Plane, setup: &Setup, inbound: &Inbound, payload: Payload, host: HostMatch) -> Answer {
    let HostMatch::App(place) = host else { return Err(Box::new(not_found().into())) };
    let Some(app) = setup.apps.get(place.app) else { return Err(Box::new(not_found().into())) };
    let too_long = || Box::new(Refused::from(Refusal::too_big(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "A grant is at most 8 KiB.")));
    let Some(body) = payload.rest else { return Err(Box::new(not_found().into())) };
    let body = Limited::new(body, MAX_FORM).collect().await.map_err(|_| too_long())?.to_bytes();
    let text = std::str::from_utf8(&body).unwrap_or_default().trim();
    let token = text.strip_prefix("grant=").unwrap_or(text);
    let binding = bearer::binding(app.binding, inbound.client());
    let exchanged = setup.bearers.exchange(token, &app.name, binding).await.map_err(|why| Box::new(Refused::from(bearer::refused(&why))))?;
    let live = exchanged.session;
    if app.origin == OriginMode::Shared {
        return Ok(enter(plane, setup, app, &live, place, exchanged.cookie));
    }
    // The cookie belongs on the session's own origin: a hand-off carries it there.
    let state = session::state(&live, app, setup);
    let code = state.and_then(|state| state.hand_off(exchanged.cookie, plane.clock.now()));
    let url = code.and_then(|code| setup.start_url(app, live.id, &code.reveal()));
    let Some(url) = url else { return Err(Box::new(Refusal::unavailable("hand-off", "The session could not be handed over.").into())) };
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    refusal::own_headers(response.headers_mut());
    insert(response.headers_mut(), header::LOCATION, url);
    Ok(response)
}

async fn who(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Result<Authenticated, Box<Refused>> {
    authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers).await.map_err(|refusal| Box::new(refusal.into()))
}

/// The End button. Only a page of this very origin may press it.
async fn end(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    if !is_same_origin(&inbound.parts.headers, &authenticated.state) {
        let refusal = Refusal::new(StatusCode::FORBIDDEN, "cross-origin", "Another site asked to end this session", "Use the button in the banner.");
        return Err(Box::new(Refused { authenticated: Some(authenticated), ..refusal.into() }));
    }
    let by = format!("operator:{}", authenticated.session.grant.operator.id);
    // The answer says that it is over, so it must be over after a crash too.
    if let Err(error) = plane.live.end(authenticated.session.id, EndCause::Operator, &by).wait().await {
        tracing::error!(%error, "the end of a session is not in the store yet; it is over all the same");
    }
    authenticated.state.jar.clear();
    let page = refusal::notice("The support session is over", "You no longer act for the customer. You can close this window.");
    let mut response = Response::new(ResponseBody::whole(page));
    let headers = response.headers_mut();
    refusal::own_headers(headers);
    insert(headers, header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned());
    insert(headers, header::SET_COOKIE, format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"));
    insert(headers, header::HeaderName::from_static("clear-site-data"), "\"cache\", \"cookies\", \"storage\"".to_owned());
    Ok(response)
}

/// Fetch Metadata where the browser sends it, else `Origin` (a form post always has one).
fn is_same_origin(headers: &HeaderMap, state: &State) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => state.origins.pairs().iter().any(|pair| pair.session == origin),
        (None, None) => false,
    }
}

/// What the banner asks while a page is open: is it still on, and if not, who ended it?
async fn status(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let body = match authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers).await {
        Ok(authenticated) => {
            banner_status(plane, Some(authenticated.session.id), host)
        }
        Err(_) => banner_status(plane, None, host),
    };
    let mut response = Response::new(ResponseBody::whole(body));
    refusal::own_headers(response.headers_mut());
    insert(response.headers_mut(), header::CONTENT_TYPE, "application/json".to_owned());
    Ok(response)
}

fn banner_status(plane: &Plane, live: Option<SessionId>, host: HostMatch) -> String {
    let now = plane.clock.now();
    let id = live.or(if let HostMatch::Session(_, id) = host { Some(id) } else { None });
    let ended = match (id.map(|id| plane.live.find(id)), live) {
        (Some(Found::Live(session)), Some(_)) => {
            return serde_json::json!({ "state": "live", "now": now.millis(), "expires_at": session.grant.expires_at.millis() }).to_string();
        }
        (Some(Found::Ended(grave)), _) => Some(grave.ended.clone()),
        _ => None,
    };
    serde_json::json!({
        "state": "ended",
        "now": now.millis(),
        "ended_at": ended.as_ref().map(|ended| ended.at.millis()),
        "ended_by": ended.as_ref().map(|ended| ended.by.as_str()),
        "cause": ended.map(|ended| ended.cause),
    })
    .to_string()
}

/// "Why am I seeing this?"
async fn why(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    let grant = &authenticated.session.grant;
    let detail = format!(
        "{} is using this app as {} ({}) for {}: {}. Everything done here is on record under the operator's name. The session ends at {}.",
        grant.operator_label(),
        grant.subject.id,
        grant.tenant_label(),
        grant.ticket,
        grant.reason,
        grant.expires_at
    );
    let mut response = Response::new(refusal::notice("This is a support session", &detail));
    refusal::own_headers(response.headers_mut());
    insert(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned());
    Ok(super::respond::with_banner(response, &authenticated.state.banner))
}

fn asset(content_type: &'static str, body: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(Bytes::from_static(body.as_bytes())));
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, content_type.to_owned());
    insert(headers, header::CACHE_CONTROL, "max-age=300".to_owned());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Values here are our own ids, secrets and constants: always valid.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
