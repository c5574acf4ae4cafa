//! Pages that defeat naive banners, served bare (`/bare/NAME`) and with the banner in them (`/p/NAME`), for browser tests.
//!
//! Usage: `torture ADDRESS FILES`, FILES being a folder whose files are served under `/vendor/`. Prints its URL.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use locum::model::{EndCause, Ended, SessionId, Timestamp};
use locum::proxy::rewrite::banner::{self, Carry, Facts, Prepared, Settings, Status};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

type Boxed = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

struct Server {
    origin: String,
    files: PathBuf,
    pages: PathBuf,
    ended: watch::Sender<Option<Ended>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let files = arguments
        .next()
        .unwrap_or_else(|| "tests/browser/build".into());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin}");
    let server = Arc::new(Server {
        origin,
        files: files.into(),
        pages: concat!(env!("CARGO_MANIFEST_DIR"), "/examples/torture/pages").into(),
        ended: watch::Sender::new(None),
    });
    loop {
        let (socket, _) = listener.accept().await?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(server.answer(&request).await) }
            });
            let io = hyper_util::rt::TokioIo::new(socket);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .await;
        });
    }
}

fn full(bytes: impl Into<Bytes>) -> Boxed {
    Full::new(bytes.into()).map_err(Into::into).boxed_unsync()
}

fn reply(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Boxed> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

impl Server {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Boxed> {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        if let Some(name) = path.strip_prefix("/p/") {
            return self.page(name, query, Some(request)).await;
        }
        if let Some(name) = path.strip_prefix("/bare/") {
            return self.page(name, query, None).await;
        }
        if let Some(name) = path.strip_prefix("/vendor/") {
            let Ok(bytes) = tokio::fs::read(self.files.join(name)).await else {
                return reply(StatusCode::NOT_FOUND, "text/plain", "no such file");
            };
            let kind = if name == "site.css" {
                "text/css"
            } else {
                "text/javascript"
            };
            return reply(StatusCode::OK, kind, bytes);
        }
        if let Some(asset) = banner::asset(path) {
            return reply(StatusCode::OK, asset.content_type, asset.bytes);
        }
        let facts = self.facts(query);
        match path {
            "/.locum/events" => {
                let from = request
                    .headers()
                    .get("referer")
                    .and_then(|url| url.to_str().ok());
                let asked = from
                    .and_then(|url| url.split_once('?'))
                    .map_or("", |(_, query)| query);
                self.events(&self.facts(asked))
            }
            "/.locum/session" => {
                let page = banner::session_page(&facts);
                self.carried(
                    request,
                    query,
                    page.html.into(),
                    &[("content-security-policy", page.policy)],
                )
            }
            "/.locum/end" => self.end(&facts, EndCause::Operator, "operator:ada"),
            "/torture/revoke" => self.end(&facts, EndCause::Revoked, "cli:root"),
            "/torture/reset" => {
                self.ended.send_replace(None);
                reply(StatusCode::OK, "text/plain", "live")
            }
            _ => reply(StatusCode::NOT_FOUND, "text/plain", "not found"),
        }
    }

    fn end(&self, facts: &Facts, cause: EndCause, by: &str) -> Response<Boxed> {
        let ended = Ended {
            cause,
            at: Timestamp::now(),
            by: by.into(),
        };
        let page = banner::ended_page(facts, &ended);
        self.ended.send_replace(Some(ended));
        let mut response = reply(StatusCode::OK, "text/html; charset=utf-8", page.html);
        let policy = HeaderValue::from_static(page.policy);
        let headers = response.headers_mut();
        headers.insert("content-security-policy", policy);
        response
    }

    fn facts(&self, query: &str) -> Facts {
        let value =
            |name: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        let left = value("left")
            .and_then(|(_, text)| text.parse().ok())
            .unwrap_or(702);
        Facts {
            operator: "Ada Byron".into(),
            subject: "kim@acme.example".into(),
            tenant: "Acme".into(),
            ticket: "SUP-1042".into(),
            scopes: "view only".into(),
            reason: "The May invoice does not show".into(),
            expires_at: Timestamp::now().plus(Duration::from_secs(left)),
            session: SessionId::fresh(),
            break_glass: value("glass").is_some(),
            origin: self.origin.clone(),
        }
    }

    fn events(&self, facts: &Facts) -> Response<Boxed> {
        let expires_at = facts.expires_at;
        let changes = self.ended.subscribe();
        let events = stream::unfold((changes, true), move |(mut changes, is_first)| async move {
            if !is_first {
                changes.changed().await.ok()?;
            }
            let ended = changes.borrow_and_update().clone();
            let status = ended
                .as_ref()
                .map_or(Status::Live { expires_at }, Status::Ended);
            let bytes = banner::event(&status, Timestamp::now());
            Some((Ok::<_, Infallible>(Frame::data(bytes)), (changes, false)))
        });
        let mut response = reply(StatusCode::OK, "text/event-stream", "");
        *response.body_mut() = StreamBody::new(events).map_err(Into::into).boxed_unsync();
        response
    }

    /// A page with its own headers: lines `#: name: value` before the document, `#! flag` for how it is sent.
    async fn page(
        &self,
        name: &str,
        query: &str,
        through: Option<&Request<Incoming>>,
    ) -> Response<Boxed> {
        let source = if name.starts_with("react") {
            self.files.join(format!("{name}.html"))
        } else {
            self.pages.join(format!("{name}.html"))
        };
        let Ok(text) = tokio::fs::read_to_string(source).await else {
            return reply(StatusCode::NOT_FOUND, "text/plain", "no such page");
        };
        let mut headers = Vec::new();
        let mut flag = "";
        let mut rest = text.as_str();
        while let Some((line, more)) = rest
            .split_once('\n')
            .filter(|(line, _)| line.starts_with('#'))
        {
            match (line.strip_prefix("#: "), line.strip_prefix("#! ")) {
                (Some(header), _) => headers.extend(header.split_once(": ")),
                (_, Some(word)) => flag = word,
                _ => {}
            }
            rest = more;
        }
        let body = match flag {
            "utf16" => {
                let units = rest.encode_utf16().flat_map(u16::to_le_bytes);
                let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(units).collect();
                full(bytes)
            }
            "slow" => slow(rest),
            _ => full(rest.to_owned()),
        };
        match through {
            Some(request) => self.carried(request, query, body_or(body), &headers),
            None => dressed(body, &headers),
        }
    }

    fn carried(
        &self,
        request: &Request<Incoming>,
        query: &str,
        body: Source,
        headers: &[(&str, &str)],
    ) -> Response<Boxed> {
        let mut response = dressed(body.0, headers);
        let settings = Settings::default();
        let status = response.status();
        match banner::applies(
            request.method(),
            request.headers(),
            status,
            response.headers(),
            &settings,
        ) {
            Carry::No => response,
            Carry::Refuse(unfit) => reply(StatusCode::BAD_GATEWAY, "text/plain", unfit.to_string()),
            Carry::Yes(plan) => {
                let prepared = Arc::new(Prepared::new(&self.facts(query)));
                plan.adjust_headers(response.headers_mut(), &prepared);
                match plan.stream(prepared, &settings) {
                    Ok(stream) => response.map(|body| carried(body, stream)),
                    Err(error) => reply(StatusCode::BAD_GATEWAY, "text/plain", error.to_string()),
                }
            }
        }
    }
}

/// `body` with the banner in it.
fn carried(body: Boxed, rewriting: banner::Stream) -> Boxed {
    let frames = stream::try_unfold(
        (body, Some(rewriting)),
        |(mut body, rewriting)| async move {
            let Some(mut rewriting) = rewriting else {
                return Ok(None);
            };
            let (bytes, rest) = match body.frame().await.transpose()? {
                Some(frame) => {
                    let pieces = rewriting.push(frame.into_data().unwrap_or_default())?;
                    (banner::joined(pieces), Some(rewriting))
                }
                None => (rewriting.finish()?, None),
            };
            Ok(Some((Frame::data(bytes), (body, rest))))
        },
    );
    StreamBody::new(frames).boxed_unsync()
}

/// A body on its way to the rewriter.
struct Source(Boxed);

fn body_or(body: Boxed) -> Source {
    Source(body)
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self(full(text))
    }
}

fn dressed(body: Boxed, headers: &[(&str, &str)]) -> Response<Boxed> {
    let mut response = Response::new(body);
    let mut map = HeaderMap::new();
    map.insert(
        "content-type",
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    map.insert("cache-control", HeaderValue::from_static("no-store"));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(*value))
        {
            map.insert(name, value);
        }
    }
    *response.headers_mut() = map;
    response
}

/// Cut at each `<!--pause-->`, with 700 ms before each piece but the first.
fn slow(text: &str) -> Boxed {
    let pieces: Vec<Bytes> = text
        .split("<!--pause-->")
        .map(|piece| Bytes::from(piece.to_owned()))
        .collect();
    let frames = stream::unfold(
        (pieces.into_iter(), true),
        |(mut pieces, is_first)| async move {
            let piece = pieces.next()?;
            if !is_first {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            Some((Ok::<_, Infallible>(Frame::data(piece)), (pieces, false)))
        },
    );
    StreamBody::new(frames).map_err(Into::into).boxed_unsync()
}
