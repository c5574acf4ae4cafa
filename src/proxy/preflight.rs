//! CORS preflights between the origins of one session (Fetch §4.8). A preflight carries no cookie, so it cannot
//! be authenticated, and the app is not asked in nobody's name. Where one of the session's own origins asks for
//! another, Locum itself says that the request may come; that request is judged like any other.

use super::authenticate::{Shown, shown, stale};
use super::body::ResponseBody;
use super::canonical::Canonical;
use super::hosts::{HostMatch, Place};
use super::inbound::Inbound;
use super::own;
use super::refusal::Refusal;
use super::refused::{Refused, unrecordable};
use super::session::Former;
use super::setup::{App, OriginMode, Setup};
use super::unauthenticated::{ended, no_session};
use super::worker::Plane;
use crate::audit;
use crate::model::SessionId;
use crate::store::live::Found;
use http::{HeaderValue, Method, Response, StatusCode, header};

/// How long a browser may remember the answer, seconds.
const REMEMBER: HeaderValue = HeaderValue::from_static("60");

/// Whether a request is a preflight that nobody stands behind.
pub fn is_one(inbound: &Inbound) -> bool {
    let parts = &inbound.parts;
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && matches!(shown(&parts.headers), Shown::Nothing)
}

/// Answers it, on record.
pub async fn answer(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    host: HostMatch,
    canonical: &Canonical<'_>,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    if let Some(refusal) = Refusal::findings(canonical.findings) {
        return Err(Box::new(refusal.into()));
    }
    let (place, session) = match host {
        HostMatch::Session(place, id) => (place, Some(id)),
        HostMatch::App(place) => (place, None),
        HostMatch::Unknown => {
            return Err(Box::new(
                Refusal::ambiguous(crate::model::Reason::HostForeign).into(),
            ));
        }
    };
    let (app, former) = whose(plane, setup, place, session).await?;
    if !asks_sibling(setup, app, session, inbound) {
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            "cross-origin",
            "Another site asked for this",
            "Only the origins of this session may ask one another.",
        );
        return Err(Box::new(Refused {
            former,
            ..refusal.into()
        }));
    }
    let record = audit::Refusal {
        opening: audit::Opening {
            session: former.as_ref().map(|former| &former.part),
            policy: Some(&setup.policy_part),
            app: &app.name,
            canonical: Some(&canonical.path),
            ..inbound.opening()
        },
        status: StatusCode::NO_CONTENT.as_u16(),
        reason: "preflight",
        detail: "between origins of the session",
    };
    if let Err(why) = plane.journal.refuse(&record).await {
        return Err(Box::new(Refused {
            is_recorded: true,
            ..unrecordable(&why).into()
        }));
    }
    Ok(allowed(inbound))
}

type Whose<'s> = (&'s App, Option<Box<Former>>);

/// The app, and the live session whose origin is asked. On a shared origin nothing names the session.
async fn whose<'s>(
    plane: &Plane,
    setup: &'s Setup,
    place: Place,
    session: Option<SessionId>,
) -> Result<Whose<'s>, Box<Refused>> {
    let nobody = || Box::new(Refused::from(no_session()));
    let app = setup.apps.get(place.app).ok_or_else(nobody)?;
    let Some(id) = session else {
        let is_shared = app.origin == OriginMode::Shared;
        return is_shared.then_some((app, None)).ok_or_else(nobody);
    };
    match plane.live.find_or_read(id).await {
        Found::Live(live) if live.grant.app == app.name => {
            Ok((app, Some(Box::new(Former::of_live(&live, setup)))))
        }
        Found::Ended(grave) => Err(Box::new(ended(&grave, setup).into())),
        Found::Stale(why) => Err(Box::new(stale(plane, why).into())),
        _ => Err(nobody()),
    }
}

fn asks_sibling(setup: &Setup, app: &App, session: Option<SessionId>, inbound: &Inbound) -> bool {
    let mut origins = inbound.parts.headers.get_all(header::ORIGIN).iter();
    let (Some(asking), None) = (origins.next(), origins.next()) else {
        return false;
    };
    app.origins.iter().any(|origin| match session {
        Some(id) => setup.session_origin(app, origin, id).as_bytes() == asking.as_bytes(),
        None => origin.public.as_bytes() == asking.as_bytes(),
    })
}

/// 204 with what was asked for: the method and fields say nothing yet, the request itself will.
fn allowed(inbound: &Inbound) -> Response<ResponseBody> {
    let mut response = own::answer(StatusCode::NO_CONTENT, ResponseBody::empty());
    let headers = response.headers_mut();
    for (asked, granted) in [
        (header::ORIGIN, header::ACCESS_CONTROL_ALLOW_ORIGIN),
        (
            header::ACCESS_CONTROL_REQUEST_METHOD,
            header::ACCESS_CONTROL_ALLOW_METHODS,
        ),
        (
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
        ),
    ] {
        if let Some(value) = inbound.parts.headers.get(asked) {
            headers.insert(granted, value.clone());
        }
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBER);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    response
}
