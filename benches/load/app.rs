//! The app behind: `GET /down/N` streams N bytes, `POST /up` counts what it gets, `/ws` echoes.

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = BoxBody<Bytes, Infallible>;

/// Bytes in one frame of a streamed body.
const CHUNK: u64 = 64 << 10;

/// Serves on a free port until the process ends.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                // A client that goes away is no fault of the app.
                let _ = connection.with_upgrades().await;
            });
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.headers().contains_key(SEC_WEBSOCKET_KEY) {
        return Ok(websocket(request));
    }
    let path = request.uri().path();
    if let Some(bytes) = path.strip_prefix("/down/") {
        return Ok(Response::new(stream(bytes.parse().unwrap_or(0))));
    }
    if path == "/up" {
        let mut body = request.into_body();
        let mut count = 0;
        while let Some(Ok(frame)) = body.frame().await {
            count += frame.data_ref().map_or(0, Bytes::len);
        }
        return Ok(Response::new(Full::from(count.to_string()).boxed()));
    }
    Ok(Response::new(Full::from("hello").boxed()))
}

fn stream(bytes: u64) -> Body {
    let chunk = Bytes::from(vec![b'.'; usize::try_from(CHUNK).unwrap_or_default()]);
    let frames = futures_util::stream::unfold(bytes, move |left| {
        let some = left.min(CHUNK);
        let data = chunk.slice(..usize::try_from(some).unwrap_or_default());
        async move { (some > 0).then(|| (Ok(Frame::data(data)), left - some)) }
    });
    BodyExt::boxed(StreamBody::new(frames))
}

fn websocket(mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if !message.is_close() && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let key = request.headers().get(SEC_WEBSOCKET_KEY);
    let accept = derive_accept_key(key.map_or(b"", |key| key.as_bytes()));
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body(Full::default().boxed());
    response.unwrap_or_default()
}
