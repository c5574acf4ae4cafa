//! What the app sees of a request's fields, and the operator of a response's.

use crate::support::locum::{Locum, Plan};
use crate::support::upstream::Upstream;

/// An app with a public URL of its own that says what apps say.
async fn talkative() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            if heard.target() != "/said" {
                return wire.ok("", "seen").await;
            }
            let fields = "Location: https://shop.example/next\r\n\
                Content-Location: https://shop.example/said\r\n\
                Link: <https://api.shop.example/x>; rel=preload\r\n\
                Content-Security-Policy: default-src https://api.shop.example\r\n\
                Access-Control-Allow-Origin: https://shop.example\r\n\
                Strict-Transport-Security: max-age=1\r\n\
                Alt-Svc: h3=\":443\"\r\n\
                Clear-Site-Data: \"*\"\r\n\
                Service-Worker-Allowed: /\r\n\
                Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                Cache-Control: public, max-age=60\r\nExpires: Thu, 01 Jan 2099 00:00:00 GMT\r\n\
                Set-Cookie: sid=1; Path=/; Secure; HttpOnly\r\n\
                Set-Cookie: csrf=2; Path=/; Domain=shop.example\r\n";
            wire.ok(fields, "seen").await;
        })
    })
    .await
}

const APP: &str = "public_url = \"https://shop.example\"\nbrowser_cookies = [\"csrf\"]\n\
    origins = [{ name = \"api\", public_url = \"https://api.shop.example\" }]\n";

#[tokio::test]
async fn the_app_sees_who_is_in_front_and_no_claim_of_the_clients() {
    let app = talkative().await;
    let locum = Locum::start(&Plan::new(&app.address).app(APP)).await;
    let agent = locum.agent_through_origins().await;
    let fields = "Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers, deflate\r\nProxy-Authorization: x\r\n\
        X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
        Locum-Assertion: forged\r\nLocum_Assertion: forged\r\nLocum.Assertion: forged\r\n\
        traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Own: kept\r\n";
    let own = format!(
        "Origin: https://{0}\r\nReferer: https://{0}/from\r\n{fields}",
        agent.host
    );
    let answer = locum
        .ask(&agent, &agent.request("GET", "/a?b=c", &own))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = app.last();
    for (name, wanted) in [
        ("host", "shop.example"),
        ("origin", "https://shop.example"),
        ("referer", "https://shop.example/from"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("via", "1.1 locum"),
        ("te", "trailers"),
        ("x-own", "kept"),
        ("keep-alive", ""),
        ("proxy-authorization", ""),
        ("x-real-ip", ""),
        ("cookie", ""),
        ("locum-assertion", ""),
        ("locum_assertion", ""),
        ("locum.assertion", ""),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ] {
        assert_eq!(seen.field(name), wanted, "{name}: {}", seen.head);
    }
    assert!(
        seen.field("forwarded").contains("127.0.0.1"),
        "{}",
        seen.head
    );
    assert!(
        !seen.head.contains("6.6.6.6") && !seen.head.contains("evil"),
        "{}",
        seen.head
    );
    assert_eq!(seen.target(), "/a?b=c");
}

#[tokio::test]
async fn the_operator_sees_the_sessions_names_and_no_cookie_but_the_listed() {
    let app = talkative().await;
    let locum = Locum::start(&Plan::new(&app.address).app(APP)).await;
    let agent = locum.agent_through_origins().await;
    let answer = locum.get(&agent, "/said").await;
    let main = format!("https://{}", agent.host);
    let api = main.replacen(".shop.", "--api.shop.", 1);
    for (name, wanted) in [
        ("location", format!("{main}/next")),
        ("content-location", format!("{main}/said")),
        ("link", format!("<{api}/x>; rel=preload")),
        ("content-security-policy", format!("default-src {api}")),
        ("access-control-allow-origin", main.clone()),
        ("cache-control", "no-store".into()),
        ("set-cookie", "csrf=2; Path=/".into()),
        ("strict-transport-security", String::new()),
        ("alt-svc", String::new()),
        ("clear-site-data", String::new()),
        ("service-worker-allowed", String::new()),
        ("x-hop", String::new()),
        ("keep-alive", String::new()),
        ("expires", String::new()),
        ("via", "1.1 locum".into()),
    ] {
        assert_eq!(answer.field(name), wanted, "{name}: {answer:?}");
    }
    let cookies = answer
        .fields
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    assert_eq!(cookies.count(), 1, "{answer:?}");
    // The jar's own, and of the browser's only the listed one.
    let cookie = format!("{}; csrf=9; other=3", agent.cookie);
    let request = format!(
        "GET /b HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
        agent.host
    );
    assert_eq!(locum.ask(&agent, &request).await.status, 200);
    assert_eq!(app.last().field("cookie"), "sid=1; csrf=9");
    // Another session has a jar of its own.
    let other = locum.agent_through_origins().await;
    locum.get(&other, "/c").await;
    assert_eq!(app.last().field("cookie"), "");
}

#[tokio::test]
async fn the_subject_is_named_by_an_assertion_or_by_fields_and_never_by_the_client() {
    let app = Upstream::plain().await;
    let lines = format!(
        "addresses = [\"{}\"]\n[upstreams.identity]\nmode = \"headers\"\nheaders = {{ X-User = \"{{subject.id}}\", X-Operator = \"{{operator.id}}\" }}\n",
        app.address
    );
    let locum = Locum::start(&Plan::new(&app.address).upstream(&lines)).await;
    let agent = locum.agent().await;
    for spelling in ["X-User", "x_user", "X.USER", "x-Operator", "X_Operator"] {
        let request = agent.request("GET", "/", &format!("{spelling}: root\r\n"));
        assert_eq!(locum.ask(&agent, &request).await.status, 200, "{spelling}");
        let seen = app.last();
        assert_eq!(seen.field("x-user"), "kim", "{spelling}: {}", seen.head);
        assert_eq!(
            seen.field("x-operator"),
            "ada@support.example",
            "{}",
            seen.head
        );
        assert!(!seen.head.contains("root"), "{spelling}: {}", seen.head);
    }
    let mut plan = Plan::new(&app.address);
    plan.upstream = format!("addresses = [\"{}\"]\n", app.address);
    locum.rewrite(&plan);
    locum.reload("taken").await;
    let request = agent.request("GET", "/", "Locum_Assertion: forged\r\n");
    assert_eq!(locum.ask(&agent, &request).await.status, 200);
    let seen = app.last();
    assert_eq!(
        seen.field("locum-assertion").split('.').count(),
        3,
        "{}",
        seen.head
    );
    assert!(!seen.head.contains("forged"), "{}", seen.head);
}
