//! The storefront by itself: what the other tests rely on when they put Locum in front of it.

use crate::support::browser::{Browser, whole};
use crate::support::storefront::{Options, spawn};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_customer_signs_in_sees_their_own_orders_and_signs_out() {
    let shop = spawn(&Options::default());
    let mut kim = Browser::new(&shop);
    let (status, headers, _) = kim.get("/orders").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers["location"], "/sign-in?next=%2Forders");
    kim.get("/sign-in").await;
    let wrong = kim
        .post("/sign-in", "email=kim@acme.example&password=guess")
        .await;
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);

    kim.sign_in("kim@acme.example").await;
    let (status, headers, page) = kim.get("/orders/1").await;
    assert_eq!(status, StatusCode::OK);
    let csp = headers["content-security-policy"].to_str().expect("text");
    assert!(csp.contains("default-src 'none'") && csp.contains("script-src 'self'"));
    assert!(
        page.contains("Kim Park") && page.contains("Enamel mug"),
        "{page}"
    );
    assert_eq!(
        kim.get("/orders/5").await.0,
        StatusCode::NOT_FOUND,
        "another tenant's order"
    );

    let pages = [
        "/",
        "/orders",
        "/account",
        "/account/addresses",
        "/account/mfa",
        "/account/password",
        "/account/email",
        "/account/payment",
        "/account/tokens",
        "/account/delete",
        "/export",
        "/app",
        "/app/orders/1",
        "/live",
        "/slow?ms=50",
    ];
    for path in pages {
        let (status, _, page) = kim.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(
            page.ends_with("</html>\n") || page.ends_with("</html>"),
            "{path} is whole"
        );
    }
    let (_, headers, csv) = kim.get("/export.csv").await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.contains("\"Enamel mug\",4"), "{csv}");

    let last = shop.requests();
    let last = last.last().expect("a logged request");
    assert_eq!(
        (&last["subject"], &last["by"]),
        (&json!("kim@acme.example"), &json!("cookie"))
    );
    assert_eq!(kim.post("/sign-out", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(kim.get("/orders").await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_needs_its_token_and_the_shops_own_origin() {
    let shop = spawn(&Options::default());
    let mut kim = Browser::new(&shop);
    kim.sign_in("kim@acme.example").await;
    let form = "application/x-www-form-urlencoded";
    let forged = kim
        .send(
            Method::POST,
            "/account/mfa/reset",
            form,
            whole("csrf=guess"),
        )
        .await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let note = json!({ "note": "hello" }).to_string();
    let script = kim
        .send(
            Method::PATCH,
            "/api/orders/1",
            "application/json",
            whole(note.clone()),
        )
        .await;
    assert_eq!(script.status(), StatusCode::FORBIDDEN);

    let (cookies, csrf) = (kim.cookies.clone(), kim.cookie("csrf").to_owned());
    let mut elsewhere = Browser {
        cookies,
        ..Browser::new(&shop)
    }
    .with("origin", "https://evil.example");
    let foreign = elsewhere.post("/account/mfa/reset", "").await;
    assert_eq!(foreign.0, StatusCode::FORBIDDEN);

    let reset = kim.post("/account/mfa/reset", "").await;
    assert_eq!(
        reset.1,
        format!("{}/account/mfa?done=mfa-reset", shop.url())
    );
    assert!(kim.get("/account/mfa").await.2.contains("Turn on"));
    let mut kim = kim.with("x-csrf-token", &csrf);
    let script = kim
        .send(
            Method::PATCH,
            "/api/orders/1",
            "application/json",
            whole(note),
        )
        .await;
    assert_eq!(script.status(), StatusCode::OK);
    let order: Value = serde_json::from_str(&kim.get("/api/orders/1").await.2).expect("JSON");
    assert_eq!(order["notes"][2]["text"], "hello");
}

#[tokio::test]
async fn graphql_reads_and_deletes() {
    let shop = spawn(&Options::default());
    let mut lee = Browser::new(&shop);
    lee.sign_in("lee@globex.example").await;
    let mut ask = async |query: &str| -> Value {
        let body = json!({ "query": query }).to_string();
        let answer = lee
            .send(Method::POST, "/graphql", "application/json", whole(body))
            .await;
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice(&body).expect("JSON")
    };
    let answer = ask("query Q { who: me { email } orders { id } }").await;
    assert_eq!(answer["data"]["who"]["email"], "lee@globex.example");
    assert_eq!(answer["data"]["orders"].as_array().map(Vec::len), Some(2));
    assert!(ask("{ me {").await["errors"][0]["message"].is_string());
    assert_eq!(
        ask("mutation { deleteAccount }").await["data"]["deleteAccount"],
        true
    );
    assert_eq!(
        lee.get("/orders").await.0,
        StatusCode::SEE_OTHER,
        "the account is gone"
    );
}

#[tokio::test]
async fn events_tick_until_cut() {
    let shop = spawn(&Options::default());
    let mut kim = Browser::new(&shop);
    kim.sign_in("kim@acme.example").await;
    let began = Instant::now();
    let mut events = kim
        .send(Method::GET, "/events", "text/plain", whole(""))
        .await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    while seen.matches("event: tick").count() < 3 {
        let frame = events.frame().await.expect("it goes on").expect("no error");
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "250 ms apart: {seen}"
    );
    kim.post("/orders/1/notes", "text=hi").await;
    while !seen.contains("\"what\":\"note\"") {
        let frame = events.frame().await.expect("it goes on").expect("no error");
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
}

#[tokio::test]
async fn the_chat_answers_and_knows_its_own_origin() {
    let shop = spawn(&Options::default());
    let mut kim = Browser::new(&shop);
    kim.sign_in("kim@acme.example").await;
    let open = async |origin: String| {
        let request = Request::builder()
            .uri(format!("ws://{}/ws", shop.address))
            .header("host", shop.address.to_string())
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("origin", origin)
            .header(
                "cookie",
                format!("shop_session={}", kim.cookie("shop_session")),
            )
            .body(())
            .expect("a request");
        tokio_tungstenite::connect_async(request).await
    };
    assert!(open("https://evil.example".into()).await.is_err());
    let (mut socket, _) = open(shop.url()).await.expect("a WebSocket");
    let mut heard = async |say: Value| -> Value {
        socket
            .send(Message::text(say.to_string()))
            .await
            .expect("sent");
        let message = socket.next().await.expect("open").expect("a message");
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    };
    assert_eq!(
        heard(json!({ "type": "ping", "n": 7 })).await["type"],
        "hello"
    );
    assert_eq!(heard(json!({ "type": "refund", "order": 1 })).await["n"], 7);
    assert_eq!(
        heard(json!({ "type": "refund", "order": 5 })).await["type"],
        "refunded"
    );
    assert_eq!(
        heard(json!({ "type": "say", "text": "hi" })).await["type"],
        "error"
    );
    assert_eq!(heard(json!({ "type": "ping" })).await["text"], "hi");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let shop = spawn(&Options::default());
    let mut kim = Browser::new(&shop);
    kim.sign_in("kim@acme.example").await;
    let block = Bytes::from(vec![b'x'; 1 << 20]);
    let blocks = std::iter::repeat_n(block.clone(), 32);
    let frames = blocks.map(|block| Ok::<_, Infallible>(Frame::data(block)));
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)));
    let answer = kim
        .send(Method::POST, "/upload", "application/octet-stream", body)
        .await;
    let answer = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let whole_body = block.repeat(32);
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &whole_body);
    let hex = sum.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    assert_eq!(answer, json!({ "bytes": 32 << 20, "sha256": hex }));

    let mut down = kim
        .send(
            Method::GET,
            "/download/33554433?chunked=true",
            "text/plain",
            whole(""),
        )
        .await;
    assert!(!down.headers().contains_key("content-length"));
    let mut bytes = 0;
    while let Some(frame) = down.frame().await {
        bytes += frame.expect("no error").data_ref().map_or(0, Bytes::len);
    }
    assert_eq!(bytes, 33_554_433);
}

#[tokio::test]
async fn files_have_tags_ranges_and_compression() {
    let shop = spawn(&Options::default());
    let (_, headers, _) = Browser::new(&shop).get("/static/shop.css").await;
    let tag = headers["etag"].to_str().expect("text");
    let (status, _, body) = Browser::new(&shop)
        .with("if-none-match", tag)
        .get("/static/shop.css")
        .await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let (status, headers, _) = Browser::new(&shop)
        .with("accept-encoding", "br, gzip")
        .get("/")
        .await;
    assert_eq!(
        (status, headers["content-encoding"].as_bytes()),
        (StatusCode::OK, &b"gzip"[..])
    );
    let cases = [
        (
            "bytes=0-9",
            StatusCode::PARTIAL_CONTENT,
            "bytes 0-9/8388608",
        ),
        (
            "bytes=-5",
            StatusCode::PARTIAL_CONTENT,
            "bytes 8388603-8388607/8388608",
        ),
        (
            "bytes=65530-65545",
            StatusCode::PARTIAL_CONTENT,
            "bytes 65530-65545/8388608",
        ),
        (
            "bytes=8388608-",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bytes */8388608",
        ),
    ];
    for (range, status, expected) in cases {
        let (got, headers, _) = Browser::new(&shop)
            .with("range", range)
            .get("/static/big.bin")
            .await;
        assert_eq!(
            (got, headers["content-range"].as_bytes()),
            (status, expected.as_bytes())
        );
    }
    let mut browser = Browser::new(&shop);
    let head = browser
        .send(Method::HEAD, "/static/big.bin", "text/plain", whole(""))
        .await;
    assert_eq!(head.headers()["content-length"], "8388608");
}

/// An issuer of assertions with its key set in a file.
struct Issuer {
    key: jsonwebtoken::EncodingKey,
    id: &'static str,
    dir: tempfile::TempDir,
}

impl Issuer {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (key, id) = (published(dir.path(), "one"), "one");
        Self { key, id, dir }
    }

    /// Signs with a new key from now on; the old one is no longer in the set.
    fn rotate(&mut self) {
        self.id = "two";
        self.key = published(self.dir.path(), self.id);
    }

    fn trust(&self) -> Options {
        let keys = self.dir.path().join("jwks.json").display().to_string();
        let trust = (keys, "https://locum.example".into(), "storefront".into());
        Options {
            assertion: Some(trust),
            ..Options::default()
        }
    }

    fn sign(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = jsonwebtoken::get_current_timestamp();
        let mut claims = json!({
            "iss": "https://locum.example", "aud": "storefront", "sub": "kim@acme.example", "tenant": "acme",
            "act": { "sub": "ada@support.example" }, "iat": now, "nbf": now, "exp": now + 60,
        });
        change(&mut claims);
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(self.id.into());
        jsonwebtoken::encode(&header, &claims, &self.key).expect("signed")
    }
}

/// A new key, with its public half alone in `jwks.json`.
fn published(dir: &std::path::Path, id: &str) -> jsonwebtoken::EncodingKey {
    let pair = rcgen::KeyPair::generate().expect("a P-256 key");
    let pem = pair.serialize_pem();
    let key = jsonwebtoken::EncodingKey::from_ec_pem(pem.as_bytes()).expect("a key");
    let algorithm = jsonwebtoken::Algorithm::ES256;
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, algorithm).expect("a public key");
    jwk.common.key_id = Some(id.into());
    let text = json!({ "keys": [jwk] }).to_string();
    std::fs::write(dir.join("jwks.json"), text).expect("written");
    key
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_again() {
    let mut issuer = Issuer::new();
    let shop = spawn(&issuer.trust());
    let ask = async |token: String| {
        let mut browser = Browser::new(&shop).with("locum-assertion", &token);
        browser.get("/orders").await.0
    };
    let old = issuer.sign(|_| {});
    assert_eq!(ask(old.clone()).await, StatusCode::OK);
    issuer.rotate();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(ask(issuer.sign(|_| {})).await, StatusCode::OK);
    assert_eq!(ask(old).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_good_assertion_is_believed_and_any_other_is_refused() {
    let issuer = Issuer::new();
    let shop = spawn(&issuer.trust());
    let good = issuer.sign(|_| {});
    let (status, _, page) = Browser::new(&shop)
        .with("locum-assertion", &good)
        .get("/orders/1")
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Kim Park"));
    let logged = shop.requests().pop().expect("a logged request");
    assert_eq!(logged["subject"], "kim@acme.example");
    assert_eq!(logged["actor"], "ada@support.example");

    let past = jsonwebtoken::get_current_timestamp() - 60;
    let bad = [
        (
            "issuer",
            issuer.sign(|c| c["iss"] = json!("https://other.example")),
        ),
        ("audience", issuer.sign(|c| c["aud"] = json!("other"))),
        ("expired", issuer.sign(|c| c["exp"] = json!(past))),
        ("not yet", issuer.sign(|c| c["nbf"] = json!(past + 600))),
        ("tenant", issuer.sign(|c| c["tenant"] = json!("globex"))),
        (
            "subject",
            issuer.sign(|c| c["sub"] = json!("nobody@acme.example")),
        ),
        ("no JWT", "nonsense".into()),
    ];
    let mut kim = Browser::new(&shop);
    kim.sign_in("kim@acme.example").await;
    for (what, token) in bad {
        let cookies = kim.cookies.clone();
        let mut both = Browser {
            cookies,
            ..Browser::new(&shop)
        }
        .with("locum-assertion", &token);
        assert_eq!(
            both.get("/orders").await.0,
            StatusCode::UNAUTHORIZED,
            "{what}"
        );
        assert_eq!(shop.requests().pop().expect("a line")["by"], "refused");
    }
    assert_eq!(shop.saw("GET", "/orders/1"), 1);
    assert!(shop.pid() > 0);
}
