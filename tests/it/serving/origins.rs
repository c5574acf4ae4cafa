//! Where sessions live: their own origins, several of them, the app's own; and who passes without one.

use crate::support::locum::{Agent, Locum, Plan};
use crate::support::upstream::Upstream;

const SEVERAL: &str = "public_url = \"https://shop.example\"\nrewrite_origins = true\n\
    origins = [{ name = \"api\", public_url = \"https://api.shop.example\" }]\n";

#[tokio::test]
async fn without_a_session_the_gate_is_shut() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address).app(SEVERAL)).await;
    for (host, status) in [
        (format!("shop.localhost:{}", locum.port), 401),
        (format!("shop.example:{}", locum.port), 400),
        ("shop.example".to_owned(), 400),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = locum
            .connect("shop.localhost.".trim_end_matches('.'))
            .await
            .ask(&request)
            .await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
    assert!(app.heard().is_empty());
}

/// The session's origin called `name`, as a host.
fn sibling(agent: &Agent, name: &str) -> String {
    agent.host.replacen(".shop.", &format!("--{name}.shop."), 1)
}

#[tokio::test]
async fn a_session_has_a_cookie_on_each_of_its_origins_and_its_pages_may_ask_across() {
    let app = Upstream::start(|heard, wire| {
        Box::pin(async move {
            let fields = format!(
                "Content-Type: application/json\r\nAccess-Control-Allow-Origin: {}\r\nAccess-Control-Allow-Credentials: true\r\n",
                heard.field("origin")
            );
            wire.ok(&fields, r#"{"at":"https://api.shop.example/x","esc":"https:\/\/shop.example\/y"}"#).await;
        })
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address).app(SEVERAL)).await;
    // The start went through each origin and set the same cookie there.
    let agent = locum.agent_through_origins().await;
    let (api, main) = (sibling(&agent, "api"), format!("https://{}", agent.host));
    let ask = |origin: &str, method: &str, cookie: &str| {
        format!(
            "{method} /orders HTTP/1.1\r\nHost: {api}\r\nOrigin: {origin}\r\n{cookie}\
             Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-csrf, content-type\r\n\r\n"
        )
    };
    let mut conn = locum.connect(&api).await;
    let answer = conn.ask(&ask(&main, "OPTIONS", "")).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for (name, wanted) in [
        ("access-control-allow-origin", main.as_str()),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "x-csrf, content-type"),
    ] {
        assert_eq!(answer.field(name), wanted, "{answer:?}");
    }
    let record = locum
        .record(|one| one["status_detail"] == "preflight")
        .await;
    assert_eq!(
        record["locum"]["session"],
        agent.session.as_str(),
        "{record}"
    );
    for origin in ["https://evil.example", "https://shop.example", "null"] {
        let answer = conn.ask(&ask(origin, "OPTIONS", "")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "cross-origin"),
            "{origin}"
        );
        assert_eq!(answer.field("access-control-allow-origin"), "");
    }
    assert!(
        app.heard().is_empty(),
        "a preflight has no session and goes nowhere"
    );
    // The request itself does, with both worlds' names.
    let cookie = format!("Cookie: {}\r\n", agent.cookie);
    let answer = conn.ask(&ask(&main, "GET", &cookie)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.last().field("origin"), "https://shop.example");
    assert_eq!(app.last().field("host"), "api.shop.example");
    assert_eq!(answer.field("access-control-allow-origin"), main);
    let body = answer.json();
    assert_eq!(body["at"], format!("https://{api}/x"));
    assert_eq!(body["esc"], format!("{main}/y"));
    // Once the session is over, so is the answering.
    locum.revoked(&agent.grant).await;
    assert_eq!(conn.ask(&ask(&main, "OPTIONS", "")).await.status, 401);
}

const INLINE: &str =
    "placement = \"inline\"\norigin = \"shared\"\npublic_url = \"https://shop.example\"\n";

async fn inline() -> (Upstream, Locum) {
    let app = Upstream::start(|_, wire| {
        let fields = "Set-Cookie: sid=1\r\nContent-Type: text/html\r\nX-App: 1\r\n";
        Box::pin(wire.ok(fields, "<html><body>https://shop.example</body></html>"))
    })
    .await;
    let lines = format!(
        "addresses = [\"{}\"]\n[upstreams.identity]\nmode = \"headers\"\nheaders = {{ X-User = \"{{subject.id}}\" }}\n",
        app.address
    );
    let plan = Plan::new(&app.address).upstream(&lines).app(INLINE);
    let locum = Locum::start(&plan).await;
    (app, locum)
}

#[tokio::test]
async fn inline_ordinary_requests_pass_as_they_are() {
    let (app, locum) = inline().await;
    let mut conn = locum.connect("shop.example").await;
    let fields = "Host: shop.example\r\nCookie: sid=7; a=b\r\nAuthorization: Bearer the-apps-own\r\nX-Custom: Kept As Is\r\n\
        Accept-Encoding: gzip\r\nIf-None-Match: \"e\"\r\nOrigin: https://other.example\r\n";
    let request = format!(
        "GET /a;b//c%2F..?x=%zz HTTP/1.1\r\n{fields}X_User: root\r\nX-USER: root\r\nx.user: root\r\n\r\n"
    );
    let answer = conn.ask(&request).await;
    assert_eq!(
        (
            answer.status,
            answer.field("set-cookie"),
            answer.field("x-app")
        ),
        (200, "sid=1", "1")
    );
    assert_eq!(
        answer.text(),
        "<html><body>https://shop.example</body></html>"
    );
    let seen = app.last();
    assert_eq!(seen.target(), "/a;b//c%2F..?x=%zz");
    for line in fields.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(seen.field(name), value, "{}", seen.head);
    }
    assert!(!seen.head.contains("root"), "{}", seen.head);
    // What is added says only who is in front.
    let known = [
        "host",
        "cookie",
        "authorization",
        "x-custom",
        "accept-encoding",
        "if-none-match",
        "origin",
    ];
    let added = [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "forwarded",
        "via",
    ];
    for line in seen.head.lines().skip(1).filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        assert!(known.contains(&&*name) || added.contains(&&*name), "{line}");
    }
    // No record is made of people who are nobody's subject.
    let made = locum.records();
    assert!(made.iter().all(|one| one["http_request"].is_null()));
    // A body streams by; over HTTP/2 cookies come in crumbs and go out as one.
    let posted = "POST /p HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(conn.ask(posted).await.status, 200);
    assert_eq!(app.last().body, b"hello");
    let mut client = locum.http2("shop.example").await;
    let request = client
        .request("GET", "shop.example", "/crumbs")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    assert_eq!(
        client.ask(request.body(()).unwrap()).await.unwrap().status,
        200
    );
    assert_eq!(app.last().field("cookie"), "a=1; b=2");
}

#[tokio::test]
async fn inline_a_session_on_the_shared_origin_is_enforced() {
    let (app, locum) = inline().await;
    let issued = locum.issue(&[]);
    assert_eq!(
        issued.url.host_str(),
        Some("shop.example"),
        "{}",
        issued.url
    );
    let mut conn = locum.connect("shop.example").await;
    let start = format!(
        "GET {} HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        issued.target()
    );
    let answer = conn.ask(&start).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let agent = Agent {
        cookie: answer
            .field("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned(),
        host: "shop.example".to_owned(),
        session: issued.session.clone(),
        grant: issued.grant.clone(),
    };
    let answer = conn.ask(&agent.get("/a")).await;
    assert_eq!(
        (
            answer.status,
            answer.field("set-cookie"),
            answer.field("cache-control")
        ),
        (200, "", "no-store")
    );
    assert_eq!(app.last().field("x-user"), "kim");
    assert_eq!(conn.ask(&agent.get("/secret")).await.reason(), "policy");
    assert_eq!(
        conn.ask(&agent.get("/a/../b")).await.reason(),
        "dot-segment"
    );
    // A cookie of ours that is no session's is not an ordinary customer's.
    let garbled = "GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: __Host-locum=x\r\n\r\n";
    assert_eq!(conn.ask(garbled).await.status, 401);
    locum.revoked(&agent.grant).await;
    assert_eq!(
        conn.ask(&agent.get("/after")).await.reason(),
        "session-ended"
    );
    assert_eq!((app.saw("/secret"), app.saw("/after")), (0, 0));
    assert!(
        app.heard()
            .iter()
            .all(|one| !one.target().starts_with("/.locum"))
    );
}
