//! A session's life: its start link, its cookie, its end, and what it is tied to.

use crate::support::authority::ClientCa;
use crate::support::client::Conn;
use crate::support::locum::{Agent, Locum, Plan, tls_lines};
use crate::support::upstream::Upstream;
use serde_json::Value;
use std::time::{Duration, Instant};

pub(super) fn is(record: &Value, event: &str) -> bool {
    record["metadata"]["event_code"] == event
}

pub(super) fn refused(record: &Value, reason: &str) -> bool {
    is(record, "exchange.refused") && record["status_detail"] == reason
}

#[tokio::test]
async fn a_start_link_works_once_and_for_a_short_time() {
    let app = Upstream::plain().await;
    // Long enough for what must come in time on a machine that does much else.
    let (plan, ttl) = (Plan::new(&app.address), Duration::from_secs(8));
    let locum = Locum::start(&plan.rest("[grants]\ncode_ttl = \"8s\"\n")).await;
    let (late, before) = (locum.issue(&[]), Instant::now());
    let issued = locum.issue(&[]);
    let answer = locum.redeem(&issued).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.field("location").ends_with('/'), "{answer:?}");
    assert_eq!(answer.field("cache-control"), "no-store");
    assert_eq!(answer.field("referrer-policy"), "no-referrer");
    let started = locum.record(|one| is(one, "session.started")).await;
    assert_eq!(started["src_endpoint"]["ip"], "127.0.0.1", "{started}");
    let cookie = answer.field("set-cookie");
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert!(value.starts_with("__Host-locum=s"), "{cookie}");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    let again = locum.redeem(&issued).await;
    assert_eq!(
        (again.status, again.reason().as_str()),
        (401, "start-code-used")
    );
    locum
        .record(|one| is(one, "alert") && one["locum"]["kind"] == "start-code-reused")
        .await;
    let record = locum.record(|one| refused(one, "start-code-used")).await;
    assert_eq!(
        record["locum"]["session"],
        issued.session.as_str(),
        "{record}"
    );

    let rest = (ttl + Duration::from_millis(200)).saturating_sub(before.elapsed());
    tokio::time::sleep(rest).await;
    let answer = locum.redeem(&late).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "start-code-refused")
    );
    // Nobody who only looks at the journal can start a session.
    let code = issued.target().split_once("code=").unwrap().1.to_owned();
    let journal: Vec<String> = locum.records().iter().map(Value::to_string).collect();
    assert!(!journal.join("\n").contains(&code));
    assert!(app.heard().is_empty());
}

#[tokio::test]
async fn a_sessions_cookie_is_worth_nothing_elsewhere() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let (one, other) = (locum.agent().await, locum.agent().await);
    let crossed = Agent {
        cookie: one.cookie.clone(),
        ..other.clone()
    };
    let answer = locum.get(&crossed, "/").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "wrong-origin")
    );
    let (name, _) = one.cookie.rsplit_once('.').unwrap();
    let forged = Agent {
        cookie: format!("{name}.{}", "A".repeat(43)),
        ..one.clone()
    };
    assert_eq!(locum.get(&forged, "/").await.status, 401);
    let twice = Agent {
        cookie: format!("{}; {}", one.cookie, one.cookie),
        ..one.clone()
    };
    assert_eq!(locum.get(&twice, "/").await.reason(), "cookie-garbled");
    let without = Agent {
        cookie: "a=b".to_owned(),
        ..one.clone()
    };
    let answer = locum.get(&without, "/").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "no-session")
    );
    assert!(answer.field("www-authenticate").starts_with("Bearer"));
    assert!(app.heard().is_empty());
    assert_eq!(locum.get(&one, "/").await.status, 200);
}

/// An app that sends one event and then waits for ever.
async fn endless() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            if heard.target() != "/events" {
                return wire.ok("", "seen").await;
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n").await;
            wire.closed().await;
        })
    })
    .await
}

/// Opens the endless stream and reads its first event.
async fn stream(locum: &Locum, agent: &Agent) -> Conn {
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.get("/events")).await;
    assert_eq!(conn.head().await.status, 200);
    assert!(conn.chunk().await.is_some());
    conn
}

#[tokio::test]
async fn a_revocation_refuses_the_next_request_and_cuts_what_is_open() {
    let app = endless().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut open = stream(&locum, &agent).await;
    let mut client = locum.http2(&agent.host).await;
    let request = client
        .request("GET", &agent.host, "/events")
        .header("cookie", &agent.cookie);
    let (response, _) = client.open(request.body(()).unwrap(), true).await.unwrap();
    let mut body = response.await.unwrap().into_body();
    body.data().await.unwrap().unwrap();
    locum.revoke(&agent.grant);
    let revoked = Instant::now();
    open.closed().await;
    let http1 = revoked.elapsed();
    assert!(body.data().await.is_none_or(|piece| piece.is_err()));
    println!(
        "cut after the revoking command's end: {http1:?} (HTTP/1.1), {:?} (HTTP/2)",
        revoked.elapsed()
    );
    assert!(revoked.elapsed() < Duration::from_secs(1));
    let answer = locum.get(&agent, "/after").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "session-ended")
    );
    assert!(answer.text().contains("revoked"), "{answer:?}");
    assert_eq!(app.saw("/after"), 0);
    let record = locum.record(|one| refused(one, "session-ended")).await;
    assert_eq!(
        record["locum"]["session"],
        agent.session.as_str(),
        "{record}"
    );
    assert_eq!(
        record["actor"]["user"]["uid"], "ada@support.example",
        "{record}"
    );
    let cut = locum
        .record(|one| is(one, "exchange.closed") && one["locum"]["outcome"] == "cut")
        .await;
    assert_eq!(cut["status_detail"], "revoked", "{cut}");
    locum.record(|one| is(one, "session.ended")).await;
    assert!(locum.metric("locum_exchanges_cut_total").await >= 2.0);
}

#[tokio::test]
async fn expiry_cuts_by_itself() {
    let app = endless().await;
    let plan = Plan::new(&app.address);
    let locum = Locum::start(&plan).await;
    let agent = locum.agent_with(&["--ttl", "2s"]).await;
    let mut open = stream(&locum, &agent).await;
    open.closed().await;
    let answer = locum.get(&agent, "/after").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "session-ended")
    );
    assert!(answer.text().contains("run out of time"), "{answer:?}");
    let cut = locum
        .record(|one| is(one, "exchange.closed") && one["locum"]["outcome"] == "cut")
        .await;
    assert_eq!(cut["status_detail"], "expired", "{cut}");
}

#[tokio::test]
async fn only_the_sessions_own_page_may_end_it() {
    let app = endless().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut open = stream(&locum, &agent).await;
    for fields in [
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "",
    ] {
        let answer = locum
            .ask(&agent, &agent.post("/.locum/end", fields, ""))
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "cross-origin"),
            "{fields}"
        );
    }
    assert_eq!(locum.get(&agent, "/.locum/end").await.status, 405);
    let origin = format!(
        "Origin: https://{}\r\nSec-Fetch-Site: same-origin\r\n",
        agent.host
    );
    let answer = locum
        .ask(&agent, &agent.post("/.locum/end", &origin, ""))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.field("set-cookie").contains("Max-Age=0"),
        "{answer:?}"
    );
    assert!(
        answer.field("clear-site-data").contains("storage"),
        "{answer:?}"
    );
    open.closed().await;
    assert_eq!(locum.get(&agent, "/").await.reason(), "session-ended");
    let ended = locum.record(|one| is(one, "session.ended")).await;
    assert!(ended.to_string().contains("operator"), "{ended}");
    // The app knows nothing of reserved paths.
    assert!(
        app.heard()
            .iter()
            .all(|one| !one.target().starts_with("/.locum"))
    );
}

#[tokio::test]
async fn an_idle_session_ends_and_use_keeps_it() {
    let app = Upstream::plain().await;
    let plan = Plan::new(&app.address).rest("[grants]\nsession_idle = \"1m\"\n");
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    // A minute is the least that the configuration takes; that the rule is on is all that is looked at here.
    assert_eq!(locum.get(&agent, "/").await.status, 200);
    let status = locum.get(&agent, "/.locum/status").await;
    assert_eq!(
        (status.status, status.field("content-type")),
        (200, "application/json")
    );
}

#[tokio::test]
async fn a_session_is_tied_to_its_client_certificate() {
    let app = Upstream::plain().await;
    let ca = ClientCa::new();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
    let more = format!(
        ", client_ca = \"{}/ca.pem\", client_auth = \"optional\"",
        dir.path().display()
    );
    let plan = Plan::new(&app.address)
        .listener(&tls_lines(&more))
        .app("binding = { certificate = true }\n");
    let mut locum = Locum::start(&plan).await;
    let bare = locum.trust.clone();
    // Who shows none cannot start a session that would then be tied to nothing.
    let issued = locum.issue(&[]);
    let answer = locum.redeem(&issued).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "certificate-missing")
    );
    let (certificate, key) = ca.client("ada");
    locum.trust = bare.clone().showing(&certificate, &key);
    let agent = locum.agent().await;
    assert_eq!(locum.get(&agent, "/").await.status, 200);
    let (other, other_key) = ca.client("eve");
    locum.trust = bare.clone().showing(&other, &other_key);
    let answer = locum.get(&agent, "/stolen").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "binding-broken")
    );
    let alert = locum.record(|one| is(one, "alert")).await;
    assert_eq!(alert["locum"]["kind"], "binding-broken", "{alert}");
    let record = locum.record(|one| refused(one, "binding-broken")).await;
    assert_eq!(
        record["locum"]["session"],
        agent.session.as_str(),
        "{record}"
    );
    // It is over for everybody.
    locum.trust = bare.showing(&certificate, &key);
    assert_eq!(locum.get(&agent, "/").await.reason(), "session-ended");
    assert_eq!(app.saw("/stolen"), 0);
}

#[tokio::test]
async fn a_session_is_tied_to_its_network() {
    let app = Upstream::plain().await;
    let lines = "plain = true\nexternal_scheme = \"https\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let plan = Plan::new(&app.address)
        .listener(lines)
        .app("binding = { network = true, network_prefix_v4 = 24 }\n");
    let locum = Locum::start(&plan).await;
    let issued = locum.issue(&[]);
    let mut conn = Conn::plain(locum.port).await;
    let from = |last: &str| format!("X-Forwarded-For: {last}\r\n");
    let start = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
        issued.target(),
        issued.host(),
        from("203.0.113.7")
    );
    let answer = conn.ask(&start).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let agent = Agent {
        session: issued.session.clone(),
        grant: issued.grant.clone(),
        host: issued.host(),
        cookie: answer
            .field("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned(),
    };
    let near = agent.request("GET", "/", &from("203.0.113.99"));
    assert_eq!(conn.ask(&near).await.status, 200);
    let far = agent.request("GET", "/far", &from("203.0.114.7"));
    assert_eq!(conn.ask(&far).await.reason(), "binding-broken");
    assert_eq!(conn.ask(&near).await.reason(), "session-ended");
    assert_eq!(app.saw("/far"), 0);
    let alert = locum.record(|one| is(one, "alert")).await;
    assert!(alert.to_string().contains("203.0.114.7"), "{alert}");
}
