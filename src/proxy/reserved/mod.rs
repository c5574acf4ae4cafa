//! `/.locum/` on every origin of ours: starting a session, its status, ending it. Never forwarded.

mod start;

use super::authenticate::{Authenticated, COOKIE, authenticate, stale};
use super::body::ResponseBody;
use super::body::response::BoxError;
use super::canonical::Canonical;
use super::hosts::HostMatch;
use super::inbound::{Inbound, Payload};
use super::own;
use super::refusal::{self, Refusal};
use super::refused::Refused;
use super::rewrite::banner::{self, Status};
use super::session::State;
use super::setup::Setup;
use super::worker::Plane;
use crate::model::{Clock, EndCause};
use crate::store::live::{Found, LiveSession};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use std::sync::Arc;
use std::time::Duration;

/// Every reserved path begins so.
pub const PREFIX: &str = "/.locum/";

/// Whether a canonical path is ours, and so is never forwarded.
pub fn is_reserved(path: &str) -> bool {
    path.strip_prefix("/.locum")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

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
            start::redeem(plane, setup, inbound, host, canonical.query.as_deref()).await
        }
        ("start", &Method::POST) => start::exchange(plane, setup, inbound, payload, host).await,
        ("end", &Method::POST) => end(plane, setup, inbound, host).await,
        ("status", &Method::GET) => status(plane, setup, inbound, host).await,
        ("events", &Method::GET) => events(plane, setup, inbound, host).await,
        ("session", &Method::GET) => why(plane, setup, inbound, host).await,
        (path, _) => Err(Box::new(
            allowed(path).map_or_else(not_found, wrong_method).into(),
        )),
    }
}

/// The methods of a reserved path, as `Allow` lists them (RFC 9110 §10.2.1).
fn allowed(path: &str) -> Option<&'static str> {
    match path {
        "start" => Some("GET, POST"),
        "end" => Some("POST"),
        "status" | "events" | "session" => Some("GET"),
        "page.css" | "refusal.css" => Some("GET, HEAD"),
        _ => None,
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

fn wrong_method(allow: &'static str) -> Refusal {
    Refusal {
        allow: Some(allow),
        ..Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "reserved-method",
            "This cannot be done this way",
            "Use the links and buttons of the page.",
        )
    }
}

async fn who(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    host: HostMatch,
) -> Result<Authenticated, Box<Refused>> {
    authenticate(plane, setup, inbound.client(), host, &inbound.parts.headers)
        .await
        .map_err(|why| Box::new(why.into()))
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
    own::insert(
        headers,
        header::SET_COOKIE,
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    );
    headers.insert(
        header::HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"cookies\", \"storage\""),
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
        Err(_) => match host_session(plane, host).await {
            Some(Found::Ended(grave)) => banner::status_json(&Status::Ended(&grave.ended), now),
            Some(Found::Stale(why)) => return Err(Box::new(stale(plane, why).into())),
            _ => {
                return Err(Box::new(
                    Refusal::unauthenticated("no-session", "No session is known here.").into(),
                ));
            }
        },
    };
    let body = ResponseBody::whole(body);
    Ok(own::typed(StatusCode::OK, "application/json", body))
}

async fn host_session(plane: &Plane, host: HostMatch) -> Option<Found> {
    if let HostMatch::Session(_, id) = host {
        Some(plane.live.find_or_read(id).await)
    } else {
        None
    }
}

/// The same, told rather than asked: one event now, one when the session ends.
async fn events(plane: &Plane, setup: &Setup, inbound: &Inbound, host: HostMatch) -> Answer {
    let authenticated = who(plane, setup, inbound, host).await?;
    let teller = Teller {
        at: Telling::First,
        session: authenticated.session,
        clock: plane.clock.clone(),
        keep_alive: setup.limits.events_keep_alive,
    };
    let stream = futures_util::stream::unfold(teller, Teller::tell);
    let body = ResponseBody::passed(Box::pin(StreamBody::new(stream)));
    Ok(own::typed(StatusCode::OK, "text/event-stream", body))
}

/// Where an event stream is.
enum Telling {
    First,
    Waiting,
    Over,
}

struct Teller {
    at: Telling,
    session: Arc<LiveSession>,
    clock: Clock,
    keep_alive: Duration,
}

impl Teller {
    /// The next event: the state at once, a comment now and then, and the end.
    async fn tell(mut self) -> Option<(Result<Frame<Bytes>, BoxError>, Self)> {
        let bytes = match self.at {
            Telling::Over => return None,
            Telling::First => {
                self.at = Telling::Waiting;
                let expires_at = self.session.grant.expires_at;
                banner::event(&Status::Live { expires_at }, self.clock.now())
            }
            Telling::Waiting => tokio::select! {
                () = self.session.ended().cancelled() => {
                    self.at = Telling::Over;
                    banner::event(&Status::Ended(self.session.ending()?), self.clock.now())
                }
                () = tokio::time::sleep(self.keep_alive) => Bytes::from_static(b":\n\n"),
            },
        };
        Some((Ok(Frame::data(bytes)), self))
    }
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
    let mut response = own::typed(StatusCode::OK, "text/html; charset=utf-8", page.html);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(page.policy),
    );
    response
}

fn asset(content_type: &'static str, body: &'static [u8]) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(Bytes::from_static(body)));
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}
