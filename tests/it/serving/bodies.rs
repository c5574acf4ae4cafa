//! Bodies in both directions: framing, trailers, streams that do not wait, size without memory.

use crate::support::http2;
use crate::support::locum::{Locum, Plan};
use crate::support::upstream::Upstream;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Notify;

/// An app that answers each way that HTTP has.
async fn app() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            match heard.target() {
                "/chunked" => {
                    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
                    wire.send(format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")).await;
                }
                "/head" => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await,
                "/204" => wire.send("HTTP/1.1 204 No Content\r\n\r\n").await,
                "/304" => wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n").await,
                "/range" => {
                    let fields = "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n";
                    wire.send(format!("HTTP/1.1 206 Partial Content\r\n{fields}\r\ncde")).await;
                }
                "/until-closed" => {
                    wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it").await;
                    wire.is_over = true;
                }
                "/early" => wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await,
                _ => wire.ok("", "seen").await,
            }
        })
    })
    .await
}

#[tokio::test]
async fn responses_keep_their_framing_on_one_connection() {
    let app = app().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    let answer = conn
        .ask(&agent.request("GET", "/chunked", "TE: trailers\r\n"))
        .await;
    assert_eq!(answer.text(), "abcde");
    assert_eq!(
        answer.trailers,
        [("x-sum".to_owned(), "5".to_owned())],
        "{answer:?}"
    );
    let answer = conn.ask(&agent.request("HEAD", "/head", "")).await;
    assert_eq!(
        (answer.status, answer.field("content-length")),
        (200, "1234")
    );
    let answer = conn.ask(&agent.get("/204")).await;
    assert_eq!((answer.status, answer.field("content-length")), (204, ""));
    let answer = conn
        .ask(&agent.request("GET", "/304", "If-None-Match: \"a\"\r\n"))
        .await;
    assert_eq!((answer.status, answer.field("etag")), (304, "\"a\""));
    let answer = conn
        .ask(&agent.request("GET", "/range", "Range: bytes=2-4\r\n"))
        .await;
    assert_eq!(app.last().field("range"), "bytes=2-4");
    assert_eq!((answer.status, answer.text().as_str()), (206, "cde"));
    assert_eq!(answer.field("content-range"), "bytes 2-4/10");
    let answer = conn.ask(&agent.get("/until-closed")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "all of it"));
    let answer = conn.ask(&agent.get("/early")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
}

#[tokio::test]
async fn request_bodies_arrive_as_they_were_sent() {
    let app = app().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    assert_eq!(
        conn.ask(&agent.post("/length", "", "hello")).await.status,
        200
    );
    let seen = app.last();
    assert_eq!(
        (seen.field("content-length").as_str(), &*seen.body),
        ("5", &b"hello"[..])
    );
    let chunked = agent.request(
        "POST",
        "/chunks",
        "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
    );
    let body = "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n";
    assert_eq!(conn.ask(&(chunked + body)).await.status, 200);
    let seen = app.last();
    assert_eq!(
        (
            seen.field("transfer-encoding").as_str(),
            seen.field("content-length").as_str()
        ),
        ("chunked", "")
    );
    let body = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(
        body.contains("abc")
            && body.contains("de")
            && body.contains("x-sum: 5")
            && !body.contains("ext"),
        "{body}"
    );
    // A small write each: nothing waits for a full buffer.
    let request = agent.request(
        "POST",
        "/continued",
        "Content-Length: 4\r\nExpect: 100-continue\r\n",
    );
    conn.send(request).await;
    assert_eq!(conn.head().await.status, 100);
    conn.send("body").await;
    assert_eq!(conn.answer(false).await.status, 200);
    let seen = app.last();
    assert_eq!(
        (&*seen.body, seen.field("expect").as_str()),
        (&b"body"[..], "")
    );
}

#[tokio::test]
async fn a_refused_upload_is_told_so_before_it_is_sent() {
    let app = app().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.request(
        "POST",
        "/secret",
        "Content-Length: 1000000\r\nExpect: 100-continue\r\n",
    ))
    .await;
    assert_eq!(conn.head().await.status, 403);
    assert!(app.heard().is_empty());
}

#[tokio::test]
async fn grpc_passes_over_http2_with_its_trailers() {
    let app = super::grpc::server().await;
    let lines = format!(
        "addresses = [\"{}\"]\nprotocol = \"h2\"\nidentity = {{ mode = \"none\" }}\n",
        app.address
    );
    let locum = Locum::start(&Plan::new(&app.address).upstream(&lines)).await;
    let agent = locum.agent().await;
    let mut client = locum.http2(&agent.host).await;
    let request = client
        .request("POST", &agent.host, "/shop.Orders/Watch")
        .header("cookie", &agent.cookie)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let (response, mut sending) = client.open(request.body(()).unwrap(), false).await.unwrap();
    // Both directions at once: each message is answered before the next is sent.
    sending
        .send_data(Bytes::from_static(b"one"), false)
        .unwrap();
    let (parts, mut body) = response.await.unwrap().into_parts();
    assert_eq!(parts.status, 200);
    assert_eq!(http2::data(&mut body).await.unwrap().unwrap(), "one");
    sending
        .send_data(Bytes::from_static(b"two"), false)
        .unwrap();
    assert_eq!(http2::data(&mut body).await.unwrap().unwrap(), "two");
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sent", "2".parse().unwrap());
    sending.send_trailers(trailers).unwrap();
    assert!(http2::data(&mut body).await.is_none());
    let trailers = body.trailers().await.unwrap().expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["x-heard"], "2");
    assert_eq!(parts.headers["x-te"], "trailers");
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let (go, went) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wait = Arc::clone(&go);
    let app = Upstream::start(move |_, wire| {
        let wait = Arc::clone(&wait);
        Box::pin(async move {
            wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n").await;
            wait.notified().await;
            wire.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n").await;
        })
    })
    .await;
    drop(went);
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.get("/events")).await;
    assert_eq!(conn.head().await.field("content-type"), "text/event-stream");
    assert_eq!(conn.chunk().await.as_deref(), Some(&b"data: 1\n\n"[..]));
    go.notify_one();
    assert_eq!(conn.chunk().await.as_deref(), Some(&b"data: 2\n\n"[..]));
    assert_eq!(conn.chunk().await, None);
}

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;

#[tokio::test]
async fn what_is_large_flows_through_a_flat_memory() {
    let app = Upstream::start(|heard, wire| {
        Box::pin(async move {
            if heard.method() == "POST" {
                let mut seen = wire.take().len();
                while seen < PIECE * PIECES && wire.more().await {
                    seen += wire.take().len();
                }
                return wire.ok("", &seen.to_string()).await;
            }
            wire.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                PIECE * PIECES
            ))
            .await;
            for _ in 0..PIECES {
                wire.send(vec![b'd'; PIECE]).await;
            }
        })
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    conn.ask(&agent.get("/unread/warm")).await;
    let before = peak(locum.pid());
    let length = format!("Content-Length: {}\r\n", PIECE * PIECES);
    conn.send(agent.request("POST", "/unread/up", &length))
        .await;
    for _ in 0..PIECES {
        conn.send(vec![b'u'; PIECE]).await;
    }
    assert_eq!(
        conn.answer(false).await.text(),
        (PIECE * PIECES).to_string()
    );
    conn.send(agent.get("/unread/down")).await;
    assert_eq!(conn.head().await.status, 200);
    let mut seen = conn.take().len();
    while seen < PIECE * PIECES && conn.more().await {
        seen += conn.take().len();
    }
    let grew = peak(locum.pid()).saturating_sub(before);
    println!("64 MiB up and down: peak memory grew by {grew} KiB");
    assert_eq!(seen, PIECE * PIECES);
    // Less than either body by far, whatever the allocator keeps for later.
    assert!(grew < 48 * 1024, "grew by {grew} KiB");
}

/// Peak resident memory, KiB.
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
