//! Limits of what Locum itself holds, waits for and answers: each at a small value.

use super::sessions::refused;
use crate::support::client::{Answer, Conn};
use crate::support::locum::{Agent, Issued, Locum, POLICY, Plan};
use crate::support::upstream::Upstream;
use std::time::{Duration, Instant};

const FORMS: &str = r#"
[[rows]]
id = "refund"
match = "POST /form"
action = "refund"
effect = "deny"
form = { do = "refund" }
"#;

async fn with(limits: &str) -> (Upstream, Locum) {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address).limits(limits)).await;
    (app, locum)
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.reason())
}

/// A form of so many bytes.
fn form(agent: &Agent, bytes: usize) -> String {
    let fields = "Content-Type: application/x-www-form-urlencoded\r\n";
    agent.post("/form", fields, &format!("a={}", "x".repeat(bytes - 2)))
}

#[tokio::test]
async fn bodies_that_are_judged_share_one_room() {
    let app = Upstream::plain().await;
    let mut plan = Plan::new(&app.address).limits("max_policy_buffers = \"64KiB\"\n");
    plan.policy = format!("{POLICY}{FORMS}");
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let held = form(&agent, 50_000);
    let (most, rest) = held.split_at(held.len() - 1000);
    let mut slow = locum.connect(&agent.host).await;
    slow.send(most).await;
    let began = Instant::now();
    let answer = loop {
        let answer = locum.ask(&agent, &form(&agent, 30_000)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "always room");
    };
    assert_eq!(said(&answer), (503, "policy-buffers-full".to_owned()));
    assert_eq!(answer.field("retry-after"), "5");
    assert!(locum.hits("PolicyBuffers").await >= 1.0);
    let record = locum
        .record(|one| refused(one, "policy-buffers-full"))
        .await;
    assert_eq!(record["locum"]["session"], agent.session.as_str());
    // What fits passes, and what was begun is finished.
    let before = app.saw("/form");
    assert_eq!(locum.ask(&agent, &form(&agent, 5000)).await.status, 200);
    slow.send(rest).await;
    assert_eq!(slow.answer(false).await.status, 200);
    assert_eq!(app.saw("/form"), before + 2);
    // Its room is free again, however often it is used.
    for _ in 0..5 {
        assert_eq!(locum.ask(&agent, &form(&agent, 60_000)).await.status, 200);
    }
}

#[tokio::test]
async fn an_idle_stream_of_events_says_so() {
    let (_app, locum) = with("events_keep_alive = \"100ms\"\n").await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    let began = Instant::now();
    conn.send(agent.get("/.locum/events")).await;
    assert_eq!(conn.head().await.status, 200);
    let mut seen = Vec::new();
    while memchr::memmem::find_iter(&seen, b":\n\n").count() < 3 {
        assert!(conn.more().await, "{:?}", String::from_utf8_lossy(&seen));
        seen.extend(conn.take());
    }
    // By default it would take 45 s.
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_grant_that_is_no_grant_is_not_read_to_its_end() {
    let (_app, locum) = with("max_grant_form = \"1KiB\"\n").await;
    let post = |bytes: usize| {
        format!(
            "POST /.locum/start HTTP/1.1\r\nHost: shop.localhost:{}\r\nContent-Length: {bytes}\r\n\r\n{}",
            locum.port,
            "g".repeat(bytes)
        )
    };
    let host = "s1.shop.localhost";
    let answer = locum.connect(host).await.ask(&post(1025)).await;
    assert_eq!(said(&answer), (413, "body-too-large".to_owned()));
    assert!(locum.hits("GrantForm").await >= 1.0);
    locum.record(|one| refused(one, "body-too-large")).await;
    let answer = locum.connect(host).await.ask(&post(1024)).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn the_way_to_the_next_origin_is_open_for_a_short_time() {
    let app = Upstream::plain().await;
    let several = "public_url = \"https://shop.example\"\n\
        origins = [{ name = \"api\", public_url = \"https://api.shop.example\" }]\n";
    let plan = Plan::new(&app.address)
        .app(several)
        .limits("handoff_timeout = \"100ms\"\n");
    let locum = Locum::start(&plan).await;
    let issued = locum.issue(&[]);
    let answer = locum.redeem(&issued).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let next = Issued {
        url: answer.field("location").parse().unwrap(),
        ..issued
    };
    assert!(next.url.path().starts_with("/.locum/start"), "{next:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(locum.redeem(&next).await.status, 401);
    assert!(locum.hits("HandoffTimeout").await >= 1.0);
}

#[tokio::test]
async fn addresses_that_failed_are_remembered_up_to_a_number() {
    let app = Upstream::plain().await;
    let listener = "plain = true\nexternal_scheme = \"https\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let plan = Plan::new(&app.address)
        .listener(listener)
        .limits("max_attempt_addresses = 2\nmax_sign_in_attempts = 1\n");
    let locum = Locum::start(&plan).await;
    let issued = locum.issue(&[]);
    let guess = |from: u8| {
        format!(
            "GET /.locum/start?code={} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: 203.0.113.{from}\r\n\r\n",
            "A".repeat(43),
            issued.host()
        )
    };
    let mut conn = Conn::plain(locum.port).await;
    for (from, status) in [(1, 401), (1, 429), (2, 401), (2, 429)] {
        assert_eq!(conn.ask(&guess(from)).await.status, status, "{from}");
    }
    assert!(locum.hits("AttemptAddresses").await < 1.0);
    assert_eq!(conn.ask(&guess(3)).await.status, 401);
    assert!(locum.hits("AttemptAddresses").await >= 1.0);
    assert_eq!(conn.ask(&guess(3)).await.status, 429);
}

#[tokio::test]
async fn what_goes_in_a_circle_is_stopped() {
    let (app, locum) = with("max_via_passes = 2\n").await;
    let agent = locum.agent().await;
    let via = |value: &str| agent.request("GET", "/via", &format!("Via: {value}\r\n"));
    for fine in ["1.1 edge", "1.1 locum, 1.1 edge\r\nVia: 2 locum"] {
        assert_eq!(locum.ask(&agent, &via(fine)).await.status, 200, "{fine}");
    }
    let before = app.saw("/via");
    let answer = locum
        .ask(&agent, &via("1.1 locum, 2 LOCUM (here)\r\nVia: 1.1 locum"))
        .await;
    assert_eq!(said(&answer), (508, "via-loop".to_owned()));
    let record = locum.record(|one| refused(one, "via-loop")).await;
    assert_eq!(record["locum"]["session"], agent.session.as_str());
    assert!(locum.hits("ViaPasses").await >= 1.0);
    assert_eq!(app.saw("/via"), before);
}

/// RFC 9110 §15.5.6.
#[tokio::test]
async fn a_method_that_a_reserved_path_has_not_is_told_which_it_has() {
    let (app, locum) = with("").await;
    let agent = locum.agent().await;
    for (method, path, allow) in [
        ("DELETE", "status", "GET"),
        ("PUT", "start", "GET, POST"),
        ("GET", "end", "POST"),
        ("POST", "events", "GET"),
        ("POST", "session", "GET"),
        ("PATCH", "refusal.css", "GET, HEAD"),
        ("OPTIONS", "page.css", "GET, HEAD"),
    ] {
        let request = agent.request(method, &format!("/.locum/{path}"), "Content-Length: 0\r\n");
        let answer = locum.ask(&agent, &request).await;
        assert_eq!(said(&answer), (405, "reserved-method".to_owned()), "{path}");
        assert_eq!(answer.field("allow"), allow, "{path}");
    }
    let answer = locum.get(&agent, "/.locum/nothing").await;
    assert_eq!((answer.status, answer.field("allow")), (404, ""));
    assert!(app.heard().is_empty());
}
