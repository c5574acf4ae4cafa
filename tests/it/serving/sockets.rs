//! WebSockets over HTTP/1.1 and, by RFC 8441, over HTTP/2; and their bounds.

use super::sessions::is;
use crate::support::client::Conn;
use crate::support::http2;
use crate::support::locum::{Agent, Locum, POLICY, Plan};
use crate::support::upstream::Upstream;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// A masked text frame of a client's (RFC 6455 §5.2), mask 0.
pub(super) fn text(words: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(words.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(words.as_bytes());
    frame
}

/// An app that echoes frames, unmasked.
pub(super) async fn echo() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            if heard.field("upgrade") != "websocket" {
                return wire.ok("", "no socket").await;
            }
            let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
            wire.send(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n")).await;
            let mut held = Vec::new();
            while wire.more().await {
                held.extend(wire.take());
                while held.len() >= 6 && held.len() >= 6 + usize::from(held[1] & 0x7f) {
                    let rest = held.split_off(6 + usize::from(held[1] & 0x7f));
                    let mut back = vec![held[0], held[1] & 0x7f];
                    back.extend(&held[6..]);
                    wire.send(back).await;
                    held = rest;
                }
            }
            wire.is_over = true;
        })
    })
    .await
}

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";

pub(super) async fn open(locum: &Locum, agent: &Agent) -> Conn {
    let mut conn = locum.connect(&agent.host).await;
    let origin = format!("Origin: https://{}\r\n{HANDSHAKE}", agent.host);
    conn.send(agent.request("GET", "/ws", &origin)).await;
    let answer = conn.head().await;
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.field("sec-websocket-extensions"), "");
    conn
}

#[tokio::test]
async fn messages_pass_until_the_session_ends() {
    let app = echo().await;
    let mut plan = Plan::new(&app.address);
    plan.upstream = format!(
        "addresses = [\"{}\"]\n[upstreams.identity]\nmode = \"headers\"\nheaders = {{ X-User = \"{{subject.id}}\" }}\n",
        app.address
    );
    let locum = Locum::start(&plan.app("public_url = \"https://shop.example\"\n")).await;
    let agent = locum.agent().await;
    let mut conn = open(&locum, &agent).await;
    let seen = app.last();
    assert_eq!(seen.field("x-user"), "kim", "{}", seen.head);
    assert_eq!(seen.field("origin"), "https://shop.example");
    assert_eq!(
        (seen.field("cookie"), seen.field("sec-websocket-extensions")),
        (String::new(), String::new())
    );
    for words in ["one", "two"] {
        conn.send(text(words)).await;
        assert_eq!(conn.exactly(2 + words.len()).await[2..], *words.as_bytes());
    }
    locum.revoke(&agent.grant);
    let revoked = Instant::now();
    conn.closed().await;
    println!(
        "WebSocket cut {:?} after the revoking command's end",
        revoked.elapsed()
    );
    assert!(revoked.elapsed() < Duration::from_secs(1));
    let ended = locum.record(|one| is(one, "websocket.ended")).await;
    assert_eq!(ended["locum"]["messages_in"], 2, "{ended}");
    let closed = locum
        .record(|one| is(one, "exchange.closed") && one["locum"]["outcome"] == "cut")
        .await;
    assert_eq!(closed["locum"]["upstream"], app.address.as_str());
}

#[tokio::test]
async fn over_http2_by_extended_connect() {
    let app = echo().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut client = locum.http2(&agent.host).await;
    assert!(client.takes_extended_connect().await);
    let request = client
        .request("CONNECT", &agent.host, "/ws")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("origin", format!("https://{}", agent.host))
        .header("cookie", &agent.cookie);
    let (response, mut sending) = client.open(request.body(()).unwrap(), false).await.unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    sending
        .send_data(Bytes::from(text("hello")), false)
        .unwrap();
    let mut back = Vec::new();
    while back.len() < 7 {
        back.extend(http2::data(&mut body).await.unwrap().unwrap());
    }
    assert_eq!(back[2..], *b"hello");
    assert_eq!(app.last().method(), "GET");
    // Another request goes its way on the same connection meanwhile.
    let plain = client
        .request("GET", &agent.host, "/page")
        .header("cookie", &agent.cookie);
    assert_eq!(
        client.ask(plain.body(()).unwrap()).await.unwrap().text(),
        "no socket"
    );
}

#[tokio::test]
async fn only_so_many_and_only_where_a_row_allows() {
    let app = echo().await;
    let plan = Plan::new(&app.address).limits("max_websockets = 1\n");
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let first = open(&locum, &agent).await;
    let answer = locum
        .ask(&agent, &agent.request("GET", "/ws", HANDSHAKE))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (503, "too-many-websockets")
    );
    assert!(locum.hits("WebSockets").await >= 1.0);
    let answer = locum
        .ask(&agent, &agent.request("GET", "/page", HANDSHAKE))
        .await;
    assert_eq!((answer.status, answer.reason().as_str()), (403, "policy"));
    drop(first);
    let began = Instant::now();
    loop {
        let answer = locum.connect(&agent.host).await;
        let mut conn = answer;
        conn.send(agent.request("GET", "/ws", HANDSHAKE)).await;
        if conn.head().await.status == 101 {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the place was not given back"
        );
    }
}

#[tokio::test]
async fn a_receive_only_route_hears_and_does_not_speak() {
    let app = echo().await;
    let mut plan = Plan::new(&app.address);
    plan.policy = POLICY.replace("mode = \"allow\"", "mode = \"receive-only\"");
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let mut conn = open(&locum, &agent).await;
    conn.send(text("act")).await;
    conn.closed().await;
    let ended = locum.record(|one| is(one, "websocket.ended")).await;
    assert_eq!(ended["locum"]["messages_out"], 0, "{ended}");
}
