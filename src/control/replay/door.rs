//! The replays' own host names on the portal's listener. Nothing that is asked there ever reaches the portal, and nobody gets in
//! but by a frame that the portal's page opened, for as long as the viewer is signed in.

use super::answer::answer;
use super::index::Asked;
use super::settings::Settings;
use super::view::{Frame, label};
use super::{headers, live};
use crate::control::gate::Peer;
use crate::control::web::shared::Shared;
use crate::model::Secret;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;

const COOKIE: &str = "__Host-locum-replay";
const SHIM: &str = include_str!("static/shim.js");
/// What the replay itself serves below a session's origin.
const OWN: &str = "/.locum/replay/";

/// Takes what is for a replay's host; everything else goes on to the portal.
pub(in crate::control) async fn divert(
    State(web): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let settings = web.recordings.replay.load_full();
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|it| it.to_str().ok()).unwrap_or_default();
    match below(host, &settings.host) {
        None => next.run(request).await,
        Some(_) if !settings.enabled => refuse(StatusCode::NOT_FOUND, "Nothing is replayed here."),
        Some(first) => {
            let first = first.to_owned();
            let (parts, _) = request.into_parts();
            at_host(&web, &settings, &first, &parts).await
        }
    }
}

/// What stands before the replays' host in a `Host` field; `None` where it is another host.
fn below<'h>(host: &'h str, replay: &str) -> Option<&'h str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let at = name.len().checked_sub(replay.len())?;
    let (before, end) = (name.get(..at)?, name.get(at..)?);
    if !end.eq_ignore_ascii_case(replay) {
        return None;
    }
    match before.strip_suffix('.') {
        Some(label) => Some(label),
        None if before.is_empty() => Some(""),
        None => None,
    }
}

async fn at_host(web: &Shared, settings: &Settings, first: &str, parts: &Parts) -> Response {
    let (name, number) = first.split_once('-').unwrap_or((first, "0"));
    let now = web.control.now();
    let frame = web.recordings.views.labelled(name, now);
    let number = number.parse::<usize>().ok();
    let Some((frame, number)) = frame.zip(number).filter(|(frame, number)| {
        label(&frame.label, *number) == first && *number < frame.view.index.origins().len().max(1)
    }) else {
        return refuse(
            StatusCode::NOT_FOUND,
            "This replay is over. Open it again in the portal.",
        );
    };
    let origins = frame.origins(settings);
    let mut response = match entered(web, settings, &frame, number, parts).await {
        Ok(()) => inside(&frame, settings, number, parts).await,
        Err(response) => response,
    };
    let headers = response.headers_mut();
    headers::guard(headers, &settings.portal, &origins);
    headers::cross_origin(headers, text(parts, "origin"), &origins);
    response
}

/// Whether this request comes from inside the frame that the portal opened, and its viewer is still signed in. The way in by
/// the code is an answer of its own.
async fn entered(
    web: &Shared,
    settings: &Settings,
    frame: &Frame,
    number: usize,
    parts: &Parts,
) -> Result<(), Response> {
    let dest = text(parts, "sec-fetch-dest").unwrap_or_default();
    // In a window of its own no page of ours holds it: there it could go anywhere. No browser that replays can be without it.
    if !matches!(dest, "iframe" | "frame") && (dest.is_empty() || is_navigation(parts)) {
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "A replay opens inside the portal only.",
        ));
    }
    if parts.headers.contains_key("service-worker") {
        return Err(refuse(
            StatusCode::NOT_FOUND,
            "Replays have no service workers.",
        ));
    }
    if !web.gate.is_in(frame.view.login).await {
        web.recordings.views.close(frame.view.login);
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "Sign in to the portal again.",
        ));
    }
    let address = address(parts);
    let path = parts.uri.path();
    if path == format!("{OWN}enter") && parts.method == Method::GET {
        return Err(enter(web, frame, number, parts));
    }
    let cookie = cookie(parts);
    let by_cookie = cookie.is_some_and(|it| frame.has(&it));
    // Parts of a page from its other origins come without cookies: then the page's origin and address speak for them.
    let by_page = {
        let from = text(parts, "origin").or_else(|| text(parts, "referer"));
        let origins = frame.origins(settings);
        let is_own = |from: &str| {
            let mut all = origins.iter();
            all.any(|it| {
                from.strip_prefix(it.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let entered = frame.state.lock().entered;
        entered.is_some_and(|(at, by)| at != number && by == address) && from.is_some_and(is_own)
    };
    if by_cookie || by_page {
        return Ok(());
    }
    Err(refuse(
        StatusCode::FORBIDDEN,
        "This replay was opened by somebody else, or elsewhere.",
    ))
}

/// Takes the code, sets the frame's cookie and goes on to the page's own address, so that the page finds itself where it was.
fn enter(web: &Shared, frame: &Frame, number: usize, parts: &Parts) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let code = pairs.find_map(|(name, value)| (name == "code").then_some(value));
    let code = code.and_then(|it| Secret::parse(&it));
    let cookie =
        code.and_then(|code| frame.enter(&code, (number, address(parts)), web.control.now()));
    let page = frame.view.tape.exchanges().get(frame.start);
    let (Some(cookie), Some(page)) = (cookie, page) else {
        return refuse(
            StatusCode::FORBIDDEN,
            "This way in was used before, or is too old.",
        );
    };
    // `None`, because the portal may be another site than its replays; partitioned, so that no other page can use it.
    let cookie = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        cookie.reveal()
    );
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::try_from(page.target.as_str());
    if let (Ok(to), Ok(mut cookie)) = (to, HeaderValue::try_from(cookie)) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::LOCATION, to);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// What is asked from inside.
async fn inside(frame: &Arc<Frame>, settings: &Settings, number: usize, parts: &Parts) -> Response {
    let (path, method) = (parts.uri.path(), &parts.method);
    if path == format!("{OWN}shim.js") {
        let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
        return (kind, SHIM).into_response();
    }
    if path == format!("{OWN}socket") {
        return socket(frame, settings, parts);
    }
    // The session's own news are over: no content ends the asking (HTML Standard §9.2).
    if matches!(path, "/.locum/events" | "/.locum/status") {
        return StatusCode::NO_CONTENT.into_response();
    }
    if method == Method::OPTIONS && parts.headers.contains_key("access-control-request-method") {
        return preflight(parts);
    }
    let target = parts.uri.path_and_query();
    let asked = Asked {
        origin: number,
        method: method.to_string(),
        target: target.map_or("/", |it| it.as_str()).to_owned(),
    };
    answer(frame, settings, &asked, is_navigation(parts)).await
}

/// The messages of the WebSocket that the page opens.
fn socket(frame: &Frame, settings: &Settings, parts: &Parts) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let get = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let found = pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()));
        found.unwrap_or_default()
    };
    let host = get("host");
    let origins = frame.origins(settings);
    let is_host = |it: &String| it.split_once("://").is_some_and(|(_, own)| own == host);
    let asked = Asked {
        origin: origins.iter().position(is_host).unwrap_or(usize::MAX),
        method: "GET".to_owned(),
        target: get("target"),
    };
    let taped = frame.view.tape.exchanges();
    let mut state = frame.state.lock();
    // A handshake over HTTP/2 is a CONNECT (RFC 8441 §4).
    let connect = Asked {
        method: "CONNECT".to_owned(),
        ..asked.clone()
    };
    let found = [asked, connect]
        .iter()
        .find_map(|asked| frame.view.index.part(taped, asked, &mut state.cursor));
    match found.and_then(|(at, _)| taped.get(at)) {
        Some(one) => axum::Json(live::socket(one)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Between the origins of one frame everything is allowed that the app itself allowed: it was asked and answered then.
fn preflight(parts: &Parts) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let pairs = [
        (
            "access-control-request-method",
            header::ACCESS_CONTROL_ALLOW_METHODS,
        ),
        (
            "access-control-request-headers",
            header::ACCESS_CONTROL_ALLOW_HEADERS,
        ),
    ];
    for (asked, allowed) in pairs {
        if let Some(value) = parts.headers.get(asked) {
            response.headers_mut().insert(allowed, value.clone());
        }
    }
    response
}

fn is_navigation(parts: &Parts) -> bool {
    text(parts, "sec-fetch-mode") == Some("navigate")
}

fn text<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts.headers.get(name).and_then(|it| it.to_str().ok())
}

fn address(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |it| it.address.ip())
}

/// The frame's cookie. Two of one name are none.
fn cookie(parts: &Parts) -> Option<Secret> {
    let lines = parts.headers.get_all(header::COOKIE).iter();
    let lines = lines.filter_map(|it| it.to_str().ok());
    let pairs = lines.flat_map(|it| it.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == COOKIE);
    let (_, value) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    Secret::parse(value)
}

fn refuse(status: StatusCode, why: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
    ];
    (status, headers, why).into_response()
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn only_what_lies_below_the_replays_host_is_theirs_and_all_of_it() {
        let of = |host| below(host, "replay.portal.example");
        assert_eq!(of("abc.replay.portal.example:8444"), Some("abc"));
        assert_eq!(of("ABC.Replay.Portal.Example"), Some("ABC"));
        assert_eq!(of("a.b.replay.portal.example"), Some("a.b"));
        assert_eq!(of("replay.portal.example"), Some(""));
        for other in [
            "portal.example",
            "xreplay.portal.example",
            "",
            "replay.portal.example.evil",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
