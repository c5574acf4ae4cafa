//! `/.locum/` on every origin of ours: starting a session, its status, ending it. Never forwarded.

use super::authenticate::{Authenticated, COOKIE, authenticate};
use super::bearer;
use super::body::ResponseBody;
use super::body::response::BoxError;
use super::canonical::Canonical;
use super::exchange::Refused;
use super::hosts::{HostMatch, Place};
use super::inbound::{Inbound, Payload};
use super::refusal::{self, Refusal};
use super::rewrite::banner::{self, Status};
use super::session::{self, State};
use super::setup::{App, OriginMode, Setup};
use super::worker::Plane;
use crate::model::{Clock, EndCause, Secret, SessionId};
use crate::store::RedeemRefused;
use crate::store::live::{Found, LiveSession, RedeemError};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use std::sync::Arc;

/// Every reserved path begins so.
pub const PREFIX: &str = "/.locum/";

/// The longest body that a reserved path reads: an exchanged grant.
const MAX_FORM: usize = 16 * 1024;

type Answer = Result<Response<ResponseBody>, Box<Refused>>;

/// Answers a reserved path. `host` is the origin that it was asked on.
pub async fn answer(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    payload: Payload,
    host: HostMatch,
    canonical: &Canonical<'_>,
) -> Answer {
    if let Some(refusal) = Refusal::findings(canonical.findings) {
        return Err(Box::new(refusal.into()));
    }
    let path = canonical.path.strip_prefix(PREFIX).unwrap_or_default();
    match (path, &inbound.parts.method) {
        ("refusal.css", &Method::GET | &Method::HEAD) => {
            Ok(asset("text/css; charset=utf-8", refusal::CSS.as_bytes()))
        }
        ("page.css", &Method::GET | &Method::HEAD) => match banner::asset(&canonical.path) {
            Some(found) => Ok(asset(found.content_type, found.bytes)),
            None => Err(Box::new(not_found().into())),
        },
        ("start", &Method::GET) => {
            start(plane, setup, inbound, host, canonical.query.as_deref()).await
        }
        ("start", &Method::POST) => exchange(plane, setup, inbound, payload, host).await,
        ("end", &Method::POST) => end(plane, setup, inbound, host).await,
        ("status", &Method::GET) => status(plane, setup, inbound, host).await,
        ("events", &Method::GET) => events(plane, setup, inbound, host).await,
        ("session", &Method::GET) => why(plane, setup, inbound, host).await,
        ("start" | "end" | "status" | "events" | "session" | "page.css" | "refusal.css", _) => {
            Err(Box::new(wrong_method().into()))
        }
        _ => Err(Box::new(not_found().into())),
    }
}

fn not_found() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "reserved-path",
        "There is nothing here",
        "Paths under /.locum/ belong to Locum and are never forwarded.",
    )
}

fn wrong_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "reserved-method",
        "This cannot be done this way",
        "Use the links and buttons of the page.",
    )
}

/// Redeems a start code: the session's cookie, and on to the app. Sessions with several origins pass through each.
async fn start(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    host: HostMatch,
    query: Option<&str>,
) -> Answer {
    let code = query
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("code=")))
        .and_then(Secret::parse);
    let Some(code) = code else {
        return Err(Box::new(
            no_start("start-code-missing", "the link has no start code").into(),
        ));
    };
    let (place, id) = match host {
        HostMatch::Session(place, id) => (place, id),
        HostMatch::App(place) => (
            place,
            shared_session(query).ok_or_else(|| Box::new(Refused::from(not_found())))?,
        ),
        HostMatch::Unknown => {
            return Err(Box::new(
                Refusal::ambiguous(crate::model::Reason::HostForeign).into(),
            ));
        }
    };
    let Some(app) = setup.apps.get(place.app) else {
        return Err(Box::new(not_found().into()));
    };
    // A session that lives already is handed from one of its origins to the next, not started again.
    if matches!(plane.live.find(id), Found::Live(_)) || place.origin > 0 {
        if let Ok(answer) = next_origin(plane, setup, app, place, id, &code) {
            return Ok(answer);
        }
    }
    let (address, now) = (inbound.client().address.ip(), plane.clock.now());
    if !plane
        .attempts
        .may_try(address, setup.limits.max_sign_in_attempts, now)
    {
        return Err(Box::new(bearer::too_many(plane).into()));
    }
    let binding = bearer::binding(app.binding, inbound.client());
    let redeemed = plane
        .live
        .redeem(id, &code, binding)
        .await
        .map_err(|error| {
            if matches!(error, RedeemError::Refused(_)) {
                plane.attempts.failed(address, now);
            }
            Box::new(Refused::from(redeem_refused(plane, inbound, &error)))
        })?;
    if redeemed.session.grant.app != app.name {
        return Err(Box::new(not_found().into()));
    }
    Ok(enter(
        plane,
        setup,
        app,
        &redeemed.session,
        place,
        redeemed.cookie,
    ))
}

/// With a shared origin the host does not name the session, so the link does.
fn shared_session(query: Option<&str>) -> Option<SessionId> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix("session="))?
        .parse()
        .ok()
}

fn no_start(reason: &'static str, why: impl std::fmt::Display) -> Refusal {
    let detail =
        format!("It did not work because {why}. Ask for a new link where you got this one.");
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        reason,
        "This start link does not work",
        detail,
    )
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
        RedeemError::Stale(why) => Refusal::unavailable(
            "stale-store",
            format!("Sessions cannot be started now: {why}."),
        ),
        RedeemError::Full => Refusal::unavailable(
            "sessions-full",
            "As many sessions as allowed are open. Try again when one has ended.",
        ),
        RedeemError::Store(error) => {
            tracing::error!(%error, "a start code could not be redeemed");
            Refusal::unavailable("store", "Sessions cannot be started now.")
        }
    }
}

/// Sets the cookie here, then sends the browser to the session's next origin, or to the app's front page.
fn enter(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    live: &Arc<LiveSession>,
    place: Place,
    cookie: Secret,
) -> Response<ResponseBody> {
    let value = format!(
        "{COOKIE}={}.{}; Path=/; Secure; HttpOnly; SameSite=Lax",
        live.id,
        cookie.reveal()
    );
    let next = session::state(live, app, setup).map_or_else(
        || "/".to_owned(),
        |state| next_url(plane, setup, app, live, &state, place, cookie),
    );
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    refusal::own_headers(headers);
    insert(headers, header::SET_COOKIE, value);
    insert(headers, header::LOCATION, next);
    response
}

fn next_url(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    live: &LiveSession,
    state: &State,
    place: Place,
    cookie: Secret,
) -> String {
    let main = app
        .origins
        .first()
        .map(|main| setup.session_origin(app, main, live.id))
        .unwrap_or_default();
    let next = app
        .origins
        .get(place.origin + 1)
        .filter(|_| app.origin == OriginMode::Session);
    match next.and_then(|next| Some((next, state.hand_off(cookie, plane.clock.now())?))) {
        Some((next, code)) => format!(
            "{}{PREFIX}start?code={}",
            setup.session_origin(app, next, live.id),
            code.reveal()
        ),
        None => format!("{main}/"),
    }
}

fn next_origin(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    place: Place,
    id: SessionId,
    code: &Secret,
) -> Answer {
    let refused = || {
        Box::new(Refused::from(no_start(
            "hand-off",
            "it was used before, or took too long",
        )))
    };
    let Found::Live(live) = plane.live.find(id) else {
        return Err(refused());
    };
    let state = session::state(&live, app, setup).ok_or_else(refused)?;
    let cookie = state
        .take_handoff(code, plane.clock.now())
        .ok_or_else(refused)?;
    Ok(enter(plane, setup, app, &live, place, cookie))
}

/// `POST /.locum/start` with a signed grant: a browser session for it. The body is `grant=<jwt>` or the token itself.
async fn exchange(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    payload: Payload,
    host: HostMatch,
) -> Answer {
    let HostMatch::App(place) = host else {
        return Err(Box::new(not_found().into()));
    };
    let Some(app) = setup.apps.get(place.app) else {
        return Err(Box::new(not_found().into()));
    };
    let too_long = || {
        Box::new(Refused::from(Refusal::too_big(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "A grant is at most 8 KiB.",
        )))
    };
    let Some(body) = payload.rest else {
        return Err(Box::new(not_found().into()));
    };
    let body = Limited::new(body, MAX_FORM)
        .collect()
        .await
        .map_err(|_| too_long())?
        .to_bytes();
    let text = std::str::from_utf8(&body).unwrap_or_default().trim();
    let token = text.strip_prefix("grant=").unwrap_or(text);
    let binding = bearer::binding(app.binding, inbound.client());
    let exchanged = setup
        .bearers
        .exchange(token, &app.name, binding)
        .await
        .map_err(|why| Box::new(Refused::from(bearer::refused(&why))))?;
    let live = exchanged.session;
    if app.origin == OriginMode::Shared {
        return Ok(enter(plane, setup, app, &live, place, exchanged.cookie));
    }
    // The cookie belongs on the session's own origin: a hand-off carries it there.
    let state = session::state(&live, app, setup);
    let code = state.and_then(|state| state.hand_off(exchanged.cookie, plane.clock.now()));
    let url = code.and_then(|code| setup.start_url(app, live.id, &code.reveal()));
    let Some(url) = url else {
        return Err(Box::new(
            Refusal::unavailable("hand-off", "The session could not be handed over.").into(),
        ));
    };
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    refusal::own_headers(response.headers_mut());
    insert(response.headers_mut(), header::LOCATION, url);
    Ok(response)
}

async fn who(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    host: HostMatch,
) -> Result<Authenticated, Box<Refused>> {
    authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers)
        .await
        .map_err(|refusal| Box::new(refusal.into()))
}

/// The End button. Only a page of this very origin may press it.
async fn end(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    if !is_same_origin(&inbound.parts.headers, &authenticated.state) {
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            "cross-origin",
            "Another site asked to end this session",
            "Use the button in the banner.",
        );
        return Err(Box::new(Refused {
            authenticated: Some(authenticated),
            ..refusal.into()
        }));
    }
    let by = format!("operator:{}", authenticated.session.grant.operator.id);
    // The answer says that it is over, so it must be over after a crash too.
    if let Err(error) = plane
        .live
        .end(authenticated.session.id, EndCause::Operator, &by)
        .wait()
        .await
    {
        tracing::error!(%error, "the end of a session is not in the store yet; it is over all the same");
    }
    authenticated.state.jar.clear();
    let Some(ended) = authenticated.session.ending() else {
        return Err(Box::new(
            Refusal::unavailable("store", "The session could not be ended. Try again.").into(),
        ));
    };
    let page = own_page(banner::ended_page(
        authenticated.state.banner.facts(),
        ended,
    ));
    let mut response = page.map(ResponseBody::whole);
    let headers = response.headers_mut();
    insert(
        headers,
        header::SET_COOKIE,
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    );
    insert(
        headers,
        header::HeaderName::from_static("clear-site-data"),
        "\"cache\", \"cookies\", \"storage\"".to_owned(),
    );
    Ok(response)
}

/// Fetch Metadata where the browser sends it, else `Origin` (a form post always has one).
fn is_same_origin(headers: &HeaderMap, state: &State) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => state
            .origins
            .pairs()
            .iter()
            .any(|pair| pair.session == origin),
        (None, None) => false,
    }
}

/// What the banner asks while a page is open: is it still on, and if not, who ended it? Asking is no use of the session.
async fn status(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let now = plane.clock.now();
    let body = match who(plane, setup, inbound, host).await {
        Ok(authenticated) => banner::status_json(
            &Status::Live {
                expires_at: authenticated.session.grant.expires_at,
            },
            now,
        ),
        Err(_) => match host_session(plane, host) {
            Some(Found::Ended(grave)) => banner::status_json(&Status::Ended(&grave.ended), now),
            _ => {
                return Err(Box::new(
                    Refusal::unauthenticated("no-session", "No session is known here.").into(),
                ));
            }
        },
    };
    let mut response = Response::new(ResponseBody::whole(body));
    refusal::own_headers(response.headers_mut());
    insert(
        response.headers_mut(),
        header::CONTENT_TYPE,
        "application/json".to_owned(),
    );
    Ok(response)
}

fn host_session(plane: &Plane, host: HostMatch) -> Option<Found> {
    if let HostMatch::Session(_, id) = host {
        Some(plane.live.find(id))
    } else {
        None
    }
}

/// The same, told rather than asked: one event now, one when the session ends.
async fn events(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    let stream = futures_util::stream::unfold(
        (Telling::First, authenticated.session, plane.clock.clone()),
        tell,
    );
    let mut response = Response::new(ResponseBody::passed(Box::pin(StreamBody::new(stream))));
    refusal::own_headers(response.headers_mut());
    insert(
        response.headers_mut(),
        header::CONTENT_TYPE,
        "text/event-stream".to_owned(),
    );
    Ok(response)
}

/// Where an event stream is.
enum Telling {
    First,
    Waiting,
    Over,
}

type Told = Option<(
    Result<Frame<Bytes>, BoxError>,
    (Telling, Arc<LiveSession>, Clock),
)>;

/// The next event: the state at once, a comment now and then, and the end.
async fn tell((at, session, clock): (Telling, Arc<LiveSession>, Clock)) -> Told {
    let bytes = match at {
        Telling::Over => return None,
        Telling::First => banner::event(
            &Status::Live {
                expires_at: session.grant.expires_at,
            },
            clock.now(),
        ),
        Telling::Waiting => tokio::select! {
            () = session.ended().cancelled() => {
                let told = banner::event(&Status::Ended(session.ending()?), clock.now());
                return Some((Ok(Frame::data(told)), (Telling::Over, session, clock)));
            }
            () = tokio::time::sleep(banner::EVENTS_KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        },
    };
    Some((Ok(Frame::data(bytes)), (Telling::Waiting, session, clock)))
}

/// "Why am I seeing this?"
async fn why(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    let page = banner::session_page(authenticated.state.banner.facts());
    Ok(super::respond::with_banner(
        own_page(page),
        &authenticated.state.banner,
    ))
}

fn own_page(page: banner::Page) -> Response<String> {
    let mut response = Response::new(page.html);
    let headers = response.headers_mut();
    refusal::own_headers(headers);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(page.policy),
    );
    insert(
        headers,
        header::CONTENT_TYPE,
        "text/html; charset=utf-8".to_owned(),
    );
    response
}

fn asset(content_type: &'static str, body: &'static [u8]) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(Bytes::from_static(body)));
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, content_type.to_owned());
    insert(headers, header::CACHE_CONTROL, "max-age=300".to_owned());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Values here are our own ids, secrets and constants: always valid.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
