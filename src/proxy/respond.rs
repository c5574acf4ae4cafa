//! The app's answer on its way to the operator: headers that no longer hold, cookies into the jar, the banner in.

use super::authenticate::Authenticated;
use super::body::response::{BoxError, Source};
use super::body::{Cut, ResponseBody, Transform};
use super::canonical::{Upgrades, remove_named, strip_hop_by_hop};
use super::close::Closer;
use super::inbound::Inbound;
use super::record;
use super::refusal::Refusal;
use super::refused::{Refused, closed_with};
use super::rewrite::banner::{self, Carry, Plan, Prepared, Stream};
use super::rewrite::jar::Place;
use super::rewrite::replace::{self, Replacer};
use super::upstream::{UpstreamBody, forward};
use super::way::Way;
use crate::audit::recording::Which;
use crate::audit::{Banner, Outcome};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::collections::VecDeque;
use std::sync::Arc;

/// What the app may say of its own host and must not of the session's: HSTS would outlive the session for a
/// whole domain, `Alt-Svc` leads around the proxy, and clearing site data is Locum's at the end.
fn is_not_passed(name: &str) -> bool {
    matches!(
        name,
        "strict-transport-security"
            | "alt-svc"
            | "clear-site-data"
            | "service-worker-allowed"
            | "public-key-pins"
    )
}

/// Turns the app's answer into the operator's; the record closes when its body ends.
pub fn respond(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: Authenticated,
    response: Response<UpstreamBody>,
    mut closer: Closer,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let (mut parts, body) = response.into_parts();
    closer.status = parts.status.as_u16();
    if parts.status.is_informational() {
        return Err(unasked_upgrade(closer, authenticated));
    }
    if let Some(tap) = &closer.tap
        && tap
            .headers(Which::Received, Some(closer.status), &parts.headers)
            .is_err()
    {
        return Err(unrecorded(closer, authenticated));
    }
    adjust(
        way,
        inbound,
        &authenticated,
        &mut parts.headers,
        parts.version,
    );
    let carry = banner::applies(
        &inbound.parts.method,
        &inbound.parts.headers,
        parts.status,
        &parts.headers,
        &way.app.banner,
    );
    let replacer = replacer(way, &authenticated, &parts.headers);
    let transform: Option<Box<dyn Transform>> = match carry {
        Carry::No => {
            banner::without(&inbound.parts.headers, &mut parts.headers);
            replacer.map(|replacer| Box::new(Replacing(replacer)) as _)
        }
        Carry::Yes(plan) => match carrying(way, &authenticated, plan, replacer, &mut parts.headers)
        {
            Ok(transform) => {
                way.worker.plane().metrics.documents.inc();
                closer.banner = Banner::Shown;
                Some(transform)
            }
            Err(error) => return Err(impossible(closer, authenticated, &error.to_string())),
        },
        Carry::Refuse(why) => return Err(impossible(closer, authenticated, &why.to_string())),
    };
    if transform.is_some() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    if let Some(tap) = &closer.tap
        && tap
            .headers(Which::Shown, Some(closer.status), &parts.headers)
            .is_err()
    {
        return Err(unrecorded(closer, authenticated));
    }
    let cut = Cut::new(authenticated.session.ended().clone());
    let mut body = ResponseBody::streamed(source(body), closer, cut, way.digest_response);
    if let Some(transform) = transform {
        body = body.transformed(transform);
    }
    Ok(Response::from_parts(parts, body))
}

/// An upstream's body with its error boxed.
pub fn source(body: UpstreamBody) -> Source {
    Box::pin(body.map_err(|error| Box::new(error) as BoxError))
}

fn adjust(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    headers: &mut HeaderMap,
    version: http::Version,
) {
    strip_hop_by_hop(headers, Upgrades::Drop);
    remove_named(headers, is_not_passed);
    // An app that echoes its request must not hand the operator what speaks for the customer.
    way.origin.strip.strip(headers);
    keep_cookies(way, inbound, authenticated, headers);
    authenticated.state.origins.map_response(headers);
    if way.app.no_store {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.remove(header::EXPIRES);
    }
    forward::response(headers, &way.origin.forward, version);
}

/// `Set-Cookie` goes into the jar; listed cookies go to the browser instead, bound to the session's own host.
pub fn keep_cookies(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    headers: &mut HeaderMap,
) {
    if !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    let now = way.worker.plane().clock.now();
    let place = Place {
        host: &way.origin.host,
        path: inbound.parts.uri.path(),
        is_https: way.origin.is_https,
    };
    let mut shown = Vec::new();
    for value in headers.get_all(header::SET_COOKIE) {
        let line = String::from_utf8_lossy(value.as_bytes());
        let name = line.split('=').next().unwrap_or_default().trim();
        if way.app.browser_cookies.iter().any(|listed| listed == name) {
            shown.extend(HeaderValue::try_from(without_domain(&line)));
        } else {
            authenticated.state.jar.store(&line, place, now);
        }
    }
    headers.remove(header::SET_COOKIE);
    for value in shown {
        headers.append(header::SET_COOKIE, value);
    }
}

/// A cookie for the session's host alone: `Domain` would be refused there, or reach other sessions.
fn without_domain(line: &str) -> String {
    let is_domain = |part: &&str| {
        part.split('=')
            .next()
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("domain"))
    };
    let mut parts = line.split(';');
    let pair = parts.next().unwrap_or_default().to_owned();
    parts
        .filter(|part| !is_domain(part))
        .fold(pair, |kept, part| kept + ";" + part)
}

/// What a navigation asks of the app: a whole document that can be read.
pub fn prepare_navigation(headers: &mut HeaderMap, app: &super::setup::App) {
    banner::adjust_request(headers);
    if app.replace_origins {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
}

fn replacer(way: &Way<'_>, authenticated: &Authenticated, headers: &HeaderMap) -> Option<Replacer> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    // The app was asked for plain text; where it compressed all the same, there is nothing to find.
    let is_plain = headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|coding| coding == "identity");
    if way.app.replace_origins && is_plain && replace::applies(content_type) {
        Replacer::new(&authenticated.state.origins)
    } else {
        None
    }
}

fn carrying(
    way: &Way<'_>,
    authenticated: &Authenticated,
    plan: Plan,
    replacer: Option<Replacer>,
    headers: &mut HeaderMap,
) -> Result<Box<dyn Transform>, banner::RewriteError> {
    let prepared = &authenticated.state.banner;
    plan.adjust_headers(headers, prepared);
    let stream = plan.stream(Arc::clone(prepared), &way.app.banner)?;
    Ok(Box::new(Carrying {
        replacer,
        stream: Some(stream),
    }))
}

/// The app has acted, and what it says cannot be recorded as it must be.
fn unrecorded(closer: Closer, authenticated: Authenticated) -> Box<Refused> {
    closed_with(closer, authenticated, record::refusal(), Outcome::Cut)
}

/// 101 to a request that asked for no upgrade: what follows would be read by nobody's rules.
fn unasked_upgrade(closer: Closer, authenticated: Authenticated) -> Box<Refused> {
    let detail = "It changed the protocol, which nobody asked it to.";
    let refusal = Refusal::upstream(StatusCode::BAD_GATEWAY, "upgrade-unasked", detail);
    closed_with(closer, authenticated, refusal, Outcome::Failed)
}

/// An HTML document that cannot carry the banner is refused, not passed.
fn impossible(mut closer: Closer, authenticated: Authenticated, why: &str) -> Box<Refused> {
    closer.banner = Banner::Impossible;
    tracing::warn!(why, "a document cannot carry the banner and was refused");
    let refusal = Refusal::new(
        StatusCode::BAD_GATEWAY,
        "banner-impossible",
        "This page cannot show the support banner",
        "It was not shown, because every page of a support session must carry it. The exchange number finds the cause in the log.",
    );
    closed_with(closer, authenticated, refusal, Outcome::Refused)
}

/// Locum's own page, with the banner as any other.
pub fn with_banner(page: Response<String>, prepared: &Arc<Prepared>) -> Response<ResponseBody> {
    let (mut parts, body) = page.into_parts();
    let mut request = HeaderMap::new();
    request.insert("sec-fetch-dest", HeaderValue::from_static("document"));
    let settings = banner::Settings::default();
    let carry = banner::applies(
        &http::Method::GET,
        &request,
        parts.status,
        &parts.headers,
        &settings,
    );
    let Carry::Yes(plan) = carry else {
        return Response::from_parts(parts, ResponseBody::whole(body));
    };
    plan.adjust_headers(&mut parts.headers, prepared);
    let rewritten = plan
        .stream(Arc::clone(prepared), &settings)
        .and_then(|mut stream| {
            let mut out = stream.push(Bytes::from(body))?;
            out.push_back(stream.finish()?);
            Ok(out)
        });
    match rewritten {
        Ok(out) => Response::from_parts(parts, ResponseBody::pieces(out)),
        Err(error) => {
            tracing::error!(%error, "one of Locum's own pages could not carry the banner");
            Response::from_parts(parts, ResponseBody::empty())
        }
    }
}

/// Origins alone.
struct Replacing(Replacer);

impl Transform for Replacing {
    fn push(&mut self, chunk: Bytes) -> Result<VecDeque<Bytes>, BoxError> {
        Ok(VecDeque::from([self.0.push(&chunk)]))
    }

    fn finish(&mut self) -> Result<Bytes, BoxError> {
        Ok(self.0.finish())
    }
}

/// Origins, then the banner.
struct Carrying {
    replacer: Option<Replacer>,
    stream: Option<Stream>,
}

impl Transform for Carrying {
    fn push(&mut self, chunk: Bytes) -> Result<VecDeque<Bytes>, BoxError> {
        let chunk = match &mut self.replacer {
            Some(replacer) => replacer.push(&chunk),
            None => chunk,
        };
        let Some(stream) = &mut self.stream else {
            return Ok(VecDeque::new());
        };
        Ok(stream.push(chunk)?)
    }

    fn unfolds(&self) -> bool {
        self.replacer.is_some() || self.stream.as_ref().is_some_and(Stream::unfolds)
    }

    fn finish(&mut self) -> Result<Bytes, BoxError> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(Bytes::new());
        };
        let mut out = match &mut self.replacer {
            Some(replacer) => stream.push(replacer.finish())?,
            None => VecDeque::new(),
        };
        out.push_back(stream.finish()?);
        Ok(banner::joined(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_cookies_lose_their_domain_only() {
        assert_eq!(
            without_domain("csrf=1; Domain=shop.example; Path=/; Secure"),
            "csrf=1; Path=/; Secure"
        );
        assert_eq!(
            without_domain("csrf=1; domain=.x;HttpOnly"),
            "csrf=1;HttpOnly"
        );
        assert_eq!(
            without_domain("domainlike=1; Path=/"),
            "domainlike=1; Path=/"
        );
    }
}
