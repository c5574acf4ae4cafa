//! Starting a session: a start code redeemed, a signed grant exchanged, the cookie carried to each origin.

use super::{Answer, PREFIX, not_found};
use crate::model::{LockKey, Secret, SessionId};
use crate::proxy::authenticate::COOKIE;
use crate::proxy::bearer;
use crate::proxy::body::ResponseBody;
use crate::proxy::body::response::BoxError;
use crate::proxy::decide;
use crate::proxy::hosts::{HostMatch, Place};
use crate::proxy::inbound::{Inbound, Payload};
use crate::proxy::own;
use crate::proxy::refusal::Refusal;
use crate::proxy::refused::Refused;
use crate::proxy::session::{self, Former, State};
use crate::proxy::setup::{App, OriginMode, Setup};
use crate::proxy::worker::Plane;
use crate::store::RedeemRefused;
use crate::store::external::Fault;
use crate::store::live::{Found, LiveSession, RedeemError};
use crate::telemetry::Limit;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::Arc;

/// Redeems a start code: the session's cookie, and on to the app. Sessions with several origins pass through each.
pub(super) async fn redeem(
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
    let is_under_way = place.origin > 0 || matches!(plane.live.find(id), Found::Live(_));
    if is_under_way && let Ok(answer) = next_origin(plane, setup, app, place, id, &code) {
        return Ok(answer);
    }
    let (address, now) = (inbound.client().address.ip(), plane.clock.now());
    bearer::may_try(plane, setup, address, now).map_err(Refused::from)?;
    let starter = bearer::starter(app.binding, inbound.client()).map_err(Refused::from)?;
    let redeemed = match plane.live.redeem(id, &code, starter).await {
        Ok(redeemed) => redeemed,
        Err(error) => {
            if is_a_guess(&error) {
                bearer::failed(plane, setup, address, now);
            }
            return Err(Box::new(Refused {
                former: named(plane, setup, id).await,
                ..redeem_refused(plane, inbound, &error).into()
            }));
        }
    };
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

/// Whether the one who tried may not have had the code: whoever runs into a lock has.
fn is_a_guess(error: &RedeemError) -> bool {
    match error {
        RedeemError::Refused(why) => !matches!(why, RedeemRefused::Locked { .. }),
        RedeemError::Stale(_) | RedeemError::Full | RedeemError::Store(_) => false,
    }
}

/// The session that a start link named, for the record of its refusal.
async fn named(plane: &Plane, setup: &Setup, id: SessionId) -> Option<Box<Former>> {
    match plane.live.find_or_read(id).await {
        Found::Live(live) | Found::Pending(live) => Some(Box::new(Former::of_live(&live, setup))),
        Found::Ended(grave) => Some(Box::new(Former::of_ended(&grave, setup))),
        _ => None,
    }
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

fn locked(key: &LockKey) -> Refusal {
    let detail = format!(
        "The security team has locked what it is for ({}). Once they lift the lock, get a new link where you got this one.",
        key.kind()
    );
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "locked",
        "This session cannot start now",
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
        RedeemError::Refused(RedeemRefused::Locked { key }) => locked(key),
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
    let mut response = see_other(next);
    own::insert(response.headers_mut(), header::SET_COOKIE, value);
    response
}

fn see_other(url: String) -> Response<ResponseBody> {
    let mut response = own::answer(StatusCode::SEE_OTHER, ResponseBody::empty());
    own::insert(response.headers_mut(), header::LOCATION, url);
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
    let next = app.origins.get(place.origin + 1);
    let handed = next.and_then(|next| Some((next, state.hand_off(plane, setup, cookie)?)));
    let Some((next, code)) = handed else {
        return format!("{main}/");
    };
    let origin = setup.session_origin(app, next, live.id);
    let code = code.reveal();
    match app.origin {
        OriginMode::Session => format!("{origin}{PREFIX}start?code={code}"),
        OriginMode::Shared => format!("{origin}{PREFIX}start?session={}&code={code}", live.id),
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
    let cookie = state.take_handoff(plane, code).ok_or_else(refused)?;
    Ok(enter(plane, setup, app, &live, place, cookie))
}

/// Why the body with a grant could not be read.
fn unread(plane: &Plane, why: &BoxError) -> Refusal {
    if why.is::<LengthLimitError>() {
        plane.metrics.hit(Limit::GrantForm);
        let detail = "A grant is at most 8 KiB.";
        return Refusal::too_big(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail);
    }
    decide::broken()
}

/// `POST /.locum/start` with a signed grant: a browser session for it. The body is `grant=<jwt>` or the token itself.
pub(super) async fn exchange(
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
    let Some(body) = payload.rest else {
        return Err(Box::new(not_found().into()));
    };
    let reading = Limited::new(body, setup.limits.max_grant_form).collect();
    let body = tokio::time::timeout(setup.limits.request_body_idle_timeout, reading)
        .await
        .map_err(|_| Box::new(Refused::from(decide::timed_out())))?
        .map_err(|why| Box::new(Refused::from(unread(plane, &why))))?
        .to_bytes();
    let text = std::str::from_utf8(&body).unwrap_or_default().trim();
    let token = text.strip_prefix("grant=").unwrap_or(text);
    let (address, now) = (inbound.client().address.ip(), plane.clock.now());
    bearer::may_try(plane, setup, address, now).map_err(Refused::from)?;
    let starter = bearer::starter(app.binding, inbound.client()).map_err(Refused::from)?;
    let exchanged = setup
        .bearers
        .exchange(token, &app.name, starter)
        .await
        .map_err(|why| {
            if why.fault() == Fault::Client {
                bearer::failed(plane, setup, address, now);
            }
            Box::new(Refused::from(bearer::refused(setup, &why)))
        })?;
    let live = exchanged.session;
    if app.origin == OriginMode::Shared {
        return Ok(enter(plane, setup, app, &live, place, exchanged.cookie));
    }
    // The cookie belongs on the session's own origin: a hand-off carries it there.
    let state = session::state(&live, app, setup);
    let code = state.and_then(|state| state.hand_off(plane, setup, exchanged.cookie));
    let url = code.and_then(|code| setup.start_url(app, live.id, &code.reveal()));
    let Some(url) = url else {
        return Err(Box::new(
            Refusal::unavailable("hand-off", "The session could not be handed over.").into(),
        ));
    };
    Ok(see_other(url))
}
