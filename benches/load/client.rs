//! What clients do in each phase. Each fails where an answer is not what it must be.

use crate::locum::Locum;
use futures_util::future::try_join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

type Body = BoxBody<Bytes, Infallible>;

const CHUNK: u64 = 64 << 10;
/// How many connections are opened at once.
const STEP: usize = 100;
/// Echoes on each WebSocket while all are open.
const ECHOES: usize = 10;
/// How long connections lie idle before memory is read.
const IDLE: Duration = Duration::from_secs(2);

async fn connect(locum: &Locum) -> io::Result<SendRequest<Body>> {
    let stream = TcpStream::connect(("127.0.0.1", locum.port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    locum: &Locum,
    sender: &mut SendRequest<Body>,
    method: Method,
    target: &str,
    body: Body,
) -> io::Result<Response<Incoming>> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", format!("127.0.0.1:{}", locum.port))
        .header("cookie", &locum.cookie)
        .body(body)
        .map_err(io::Error::other)?;
    sender.ready().await.map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Err(io::Error::other(format!("{target}: {status}: {text}")))
}

/// Reads to the end; how many bytes came.
async fn drain(response: Response<Incoming>) -> io::Result<u64> {
    let (mut body, mut count) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        count += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(count)
}

/// GETs one after the other on one connection.
pub(crate) async fn small(locum: &Locum, count: usize) -> io::Result<String> {
    let mut sender = connect(locum).await?;
    for _ in 0..count {
        let response = send(locum, &mut sender, Method::GET, "/small", none()).await?;
        drain(response).await?;
    }
    Ok(String::new())
}

fn none() -> Body {
    Empty::new().boxed()
}

/// One body from the app.
pub(crate) async fn down(locum: &Locum, bytes: u64) -> io::Result<String> {
    let mut sender = connect(locum).await?;
    let target = format!("/down/{bytes}");
    let response = send(locum, &mut sender, Method::GET, &target, none()).await?;
    let came = drain(response).await?;
    same(came, bytes)
}

fn same(came: u64, bytes: u64) -> io::Result<String> {
    if came == bytes {
        return Ok(format!("{} MiB arrived", bytes >> 20));
    }
    Err(io::Error::other(format!("{came} of {bytes} bytes arrived")))
}

/// One body to the app.
pub(crate) async fn up(locum: &Locum, bytes: u64) -> io::Result<String> {
    let chunk = Bytes::from(vec![b'.'; usize::try_from(CHUNK).unwrap_or_default()]);
    let frames = futures_util::stream::unfold(bytes, move |left| {
        let some = left.min(CHUNK);
        let data = chunk.slice(..usize::try_from(some).unwrap_or_default());
        async move { (some > 0).then(|| (Ok(Frame::data(data)), left - some)) }
    });
    let body = BodyExt::boxed(StreamBody::new(frames));
    let mut sender = connect(locum).await?;
    let response = send(locum, &mut sender, Method::POST, "/up", body).await?;
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    let count = String::from_utf8_lossy(&body.to_bytes()).parse();
    same(count.unwrap_or_default(), bytes)
}

/// Many bodies from the app at once.
pub(crate) async fn together(locum: &Locum, count: usize, bytes: u64) -> io::Result<String> {
    let all = (0..count).map(|_| down(locum, bytes));
    try_join_all(all).await?;
    Ok(format!("{count} times {} MiB arrived", bytes >> 20))
}

/// Connections that had one request each and are kept, in `held`.
pub(crate) async fn idle(locum: &Locum, count: usize, held: &mut Vec<Kept>) -> io::Result<String> {
    while held.len() < count {
        let some = (0..STEP.min(count - held.len())).map(|_| async {
            let mut sender = connect(locum).await?;
            let response = send(locum, &mut sender, Method::GET, "/small", none()).await?;
            drain(response).await?;
            Ok::<_, io::Error>(Kept { _sender: sender })
        });
        held.extend(try_join_all(some).await?);
    }
    tokio::time::sleep(IDLE).await;
    Ok(format!("{} open", locum.connections()?))
}

/// A connection that stays open.
pub(crate) struct Kept {
    _sender: SendRequest<Body>,
}

/// `WebSockets` that are all open at once, then echo.
pub(crate) async fn websockets(locum: &Locum, count: usize) -> io::Result<String> {
    let mut sockets = Vec::new();
    while sockets.len() < count {
        let some = (0..STEP.min(count - sockets.len())).map(|_| async {
            let url = format!("ws://127.0.0.1:{}/ws", locum.port);
            let mut request = url.into_client_request().map_err(io::Error::other)?;
            let cookie = locum.cookie.parse().map_err(io::Error::other)?;
            request.headers_mut().insert("cookie", cookie);
            let origin = format!("http://127.0.0.1:{}", locum.port);
            let origin = origin.parse().map_err(io::Error::other)?;
            request.headers_mut().insert("origin", origin);
            let stream = TcpStream::connect(("127.0.0.1", locum.port)).await?;
            let opened = client_async(request, stream).await;
            opened.map(|(socket, _)| socket).map_err(io::Error::other)
        });
        sockets.extend(try_join_all(some).await?);
    }
    let text = "x".repeat(1024);
    for _ in 0..ECHOES {
        let all = sockets.iter_mut().map(|socket| async {
            let message = Message::text(text.clone());
            socket.send(message).await.map_err(io::Error::other)?;
            match socket.next().await {
                Some(Ok(Message::Text(echo))) if echo.as_str() == text => Ok(()),
                other => Err(io::Error::other(format!("no echo but {other:?}"))),
            }
        });
        try_join_all(all).await?;
    }
    let open = locum.websockets()?;
    Ok(format!("{open} open, {} echoes of 1 KiB", ECHOES * count))
}
