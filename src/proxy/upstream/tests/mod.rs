//! The transport on real sockets: scripted HTTP/1.1 servers that count, and hyper's own for TLS and HTTP/2.

mod address;
mod http2;
mod reuse;
mod stream;
mod tls;

use super::{Address, Settings, Timeouts, Upstream, UpstreamBody, UpstreamError};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a scripted server saw.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A server whose every connection is handled by `handle(connection's number, socket, counters)`.
async fn serve<F, R>(handle: F) -> (Address, Arc<Seen>)
where
    F: Fn(usize, TcpStream, Arc<Seen>) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let seen = Arc::new(Seen::default());
    let counters = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let number = counters.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(handle(number, socket, Arc::clone(&counters)));
        }
    });
    (Address::Tcp("127.0.0.1".into(), port), seen)
}

/// Reads one request head; `None` when the peer closed.
async fn head(socket: &mut TcpStream, seen: &Seen) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    seen.requests.fetch_add(1, Ordering::SeqCst);
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn say(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes()).await;
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers every request on a connection with `ok`.
async fn answer_all(_: usize, mut socket: TcpStream, seen: Arc<Seen>) {
    while head(&mut socket, &seen).await.is_some() {
        say(&mut socket, OK).await;
    }
}

fn upstream(addresses: Vec<Address>, change: impl FnOnce(&mut Settings)) -> Upstream {
    let mut settings = Settings {
        name: "app".into(),
        addresses,
        lanes: 1,
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    change(&mut settings);
    Upstream::new(settings).expect("settings")
}

fn request(method: Method, path: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("path");
    request
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    request(Method::GET, path)
}

fn post(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().expect("path");
    request
}

async fn text(response: Result<Response<UpstreamBody>, UpstreamError>) -> String {
    let body = response.expect("a response").into_body();
    let bytes = body.collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lets the connections' own tasks run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
