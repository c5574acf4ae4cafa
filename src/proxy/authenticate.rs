//! Which live session stands behind a request: by its host, its cookie or its bearer token. Asked for each
//! request anew; what it returns is the only proof that the next stage takes.

use super::bearer::{self, bearer_token};
use super::client::{Client, Network};
use super::hosts::{HostMatch, Place};
use super::refusal::Refusal;
use super::session::{self, Former, State};
use super::setup::{App, AppOrigin, OriginMode, Setup};
use super::unauthenticated::{Unauthenticated, ended, no_session};
use super::worker::Plane;
use crate::audit::Event;
use crate::model::{EndCause, Secret, SessionId};
use crate::store::live::{Found, LiveSession, Staleness};
use crate::telemetry::Limit;
use http::{HeaderMap, header};
use std::sync::Arc;

/// The session's cookie. The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis §4.1.3.2).
pub const COOKIE: &str = "__Host-locum";

/// A request with a live session behind it. Made only by [`authenticate`].
#[derive(Debug)]
pub struct Authenticated {
    pub session: Arc<LiveSession>,
    pub state: Arc<State>,
    place: Place,
    /// The request's `Authorization` was the grant itself: it must not reach the app.
    pub by_bearer: bool,
}

impl Authenticated {
    pub fn place(&self) -> Place {
        self.place
    }

    pub fn app<'s>(&self, setup: &'s Setup) -> Option<&'s App> {
        setup.apps.get(self.place.app)
    }

    pub fn origin<'s>(&self, setup: &'s Setup) -> Option<&'s AppOrigin> {
        self.app(setup)?.origins.get(self.place.origin)
    }
}

/// What a request shows of itself.
#[derive(Debug)]
pub enum Shown<'r> {
    Nothing,
    Cookie(SessionId, Secret),
    Bearer(&'r str),
    /// Two cookies, or one that is no cookie of ours.
    Garbled,
}

/// Reads the cookie, else the bearer token.
pub fn shown(headers: &HeaderMap) -> Shown<'_> {
    match cookie(headers) {
        Ok(Some((id, secret))) => return Shown::Cookie(id, secret),
        Err(()) => return Shown::Garbled,
        Ok(None) => {}
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let bearer = values
        .next()
        .and_then(|value| value.to_str().ok())
        .and_then(bearer_token);
    match (bearer, values.next()) {
        (Some(token), None) => Shown::Bearer(token),
        _ => Shown::Nothing,
    }
}

/// The one `__Host-locum` pair among all `Cookie` headers: `<session>.<secret>`.
fn cookie(headers: &HeaderMap) -> Result<Option<(SessionId, Secret)>, ()> {
    let mut found = None;
    for value in headers.get_all(header::COOKIE) {
        let mut rest = value.as_bytes();
        while !rest.is_empty() {
            let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
            let (pair, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            let Some(text) = pair.trim_ascii().strip_prefix(COOKIE.as_bytes()) else {
                continue;
            };
            let Some(text) = text.strip_prefix(b"=") else {
                continue;
            };
            let read = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.split_once('.'));
            let read =
                read.and_then(|(id, secret)| Some((id.parse().ok()?, Secret::parse(secret)?)));
            if found.is_some() {
                return Err(());
            }
            found = Some(read.ok_or(())?);
        }
    }
    Ok(found)
}

/// Finds the live session, or says why there is none.
pub async fn authenticate(
    plane: &Plane,
    setup: &Setup,
    client: &Client,
    host: HostMatch,
    headers: &HeaderMap,
) -> Result<Authenticated, Unauthenticated> {
    let (place, named) = match host {
        HostMatch::Unknown => {
            return Err(Refusal::ambiguous(crate::model::Reason::HostForeign).into());
        }
        HostMatch::Session(place, id) => (place, Some(id)),
        HostMatch::App(place) => (place, None),
    };
    let app = setup.apps.get(place.app).ok_or_else(no_session)?;
    let (live, by_bearer) = match shown(headers) {
        Shown::Cookie(id, secret) => (
            by_cookie(plane, setup, app, named, id, &secret).await?,
            false,
        ),
        Shown::Bearer(token) => (
            bearer::session(plane, setup, app, client, token).await?,
            true,
        ),
        Shown::Garbled => {
            return Err(Refusal::unauthenticated(
                "cookie-garbled",
                "The session cookie cannot be read. Start again from your start link.",
            )
            .into());
        }
        Shown::Nothing => {
            return Err(match named {
                None => no_session().into(),
                Some(id) => missing_cookie(plane, setup, id).await,
            });
        }
    };
    // What was granted for one app is worthless at another, and one session's proof at another's origin.
    if live.grant.app != app.name || named.is_some_and(|id| id != live.id) {
        return Err(Refusal::unauthenticated(
            "wrong-origin",
            "This session belongs to another address.",
        )
        .into());
    }
    check_binding(plane, setup, app, client, &live)?;
    let state = session::state(&live, app, setup).ok_or_else(no_session)?;
    Ok(Authenticated {
        session: live,
        state,
        place,
        by_bearer,
    })
}

/// No cookie came to a session's own origin: was there a session, and what became of it?
async fn missing_cookie(plane: &Plane, setup: &Setup, id: SessionId) -> Unauthenticated {
    match plane.live.find_or_read(id).await {
        Found::Ended(grave) => ended(&grave, setup),
        Found::Stale(why) => stale(plane, why).into(),
        Found::Live(_) | Found::Pending(_) | Found::Unknown => no_session().into(),
    }
}

pub(super) fn stale(plane: &Plane, why: Staleness) -> Refusal {
    if why == Staleness::Crowded {
        plane.metrics.hit(Limit::Lookups);
    }
    Refusal::unavailable(
        "stale-store",
        format!("Sessions cannot be checked now: {why}."),
    )
}

async fn by_cookie(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    named: Option<SessionId>,
    id: SessionId,
    secret: &Secret,
) -> Result<Arc<LiveSession>, Unauthenticated> {
    // With an origin for each session, a cookie says nothing on the app's own host name.
    if named.is_none() && app.origin == OriginMode::Session {
        return Err(no_session().into());
    }
    match plane.live.find_or_read(id).await {
        Found::Live(live) if live.cookie_matches(secret) => Ok(live),
        Found::Live(_) | Found::Pending(_) | Found::Unknown => Err(no_session().into()),
        Found::Ended(grave) => Err(ended(&grave, setup)),
        Found::Stale(why) => Err(stale(plane, why).into()),
    }
}

/// A cookie or token that turns up elsewhere is taken for stolen: the session ends for everybody.
fn check_binding(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    client: &Client,
    live: &Arc<LiveSession>,
) -> Result<(), Unauthenticated> {
    let binding = &live.binding;
    let certificate = binding.certificate.as_deref();
    let is_wrong_certificate =
        certificate.is_some_and(|bound| client.certificate.as_deref() != Some(bound));
    let is_wrong_network = binding.network.is_some_and(|(address, prefix)| {
        !Network { address, prefix }.contains(client.address.ip())
    });
    if !is_wrong_certificate && !is_wrong_network {
        return Ok(());
    }
    let detail = if is_wrong_certificate {
        "another client certificate"
    } else {
        "another network"
    };
    drop(plane.live.end(live.id, EndCause::BindingBroken, "locum"));
    plane.metrics.alerts.inc();
    let state = session::state(live, app, setup);
    let alert = Event::Alert {
        kind: "binding-broken",
        session: state.as_deref().map(|state| &state.part),
        exchange: None,
        client: Some(client.address.ip()),
        detail,
    };
    plane.journal.note(&alert);
    Err(Unauthenticated {
        refusal: Refusal::unauthenticated(
            "binding-broken",
            format!("The session was used from {detail} than it started at, and has been ended."),
        ),
        former: Some(Box::new(Former::of_live(live, setup))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&str]) -> Result<Option<(SessionId, Secret)>, ()> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).map_err(|_| ())?);
        }
        cookie(&headers)
    }

    #[test]
    fn exactly_one_whole_cookie_is_read() -> Result<(), aws_lc_rs::error::Unspecified> {
        let (id, secret) = (SessionId::fresh(), Secret::fresh()?);
        let good = format!("{COOKIE}={id}.{}", secret.reveal());
        for lines in [
            vec![good.as_str()],
            vec!["a=1; b", &format!("x=y;{good} ; z=1")],
        ] {
            assert!(
                matches!(read(&lines), Ok(Some((read, again))) if read == id && again.hash().matches(&secret)),
                "{lines:?}"
            );
        }
        assert!(matches!(read(&[&format!("x{good}")]), Ok(None)));
        for lines in [
            vec![good.as_str(), good.as_str()],
            vec!["__Host-locum="],
            vec!["__Host-locum=abc.def"],
        ] {
            assert!(read(&lines).is_err(), "{lines:?}");
        }
        Ok(())
    }
}
