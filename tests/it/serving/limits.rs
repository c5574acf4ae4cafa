//! Every limit at a small value: met, answered as it should be, and counted.

use super::sessions::refused;
use crate::support::client::Conn;
use crate::support::locum::{Locum, Plan};
use crate::support::upstream::Upstream;
use std::time::{Duration, Instant};

async fn with(limits: &str) -> (Upstream, Locum) {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address).limits(limits)).await;
    (app, locum)
}

/// So many header fields.
fn fields(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|n| format!("X-{n}: 1\r\n")).collect();
    lines.concat()
}

#[tokio::test]
async fn connections() {
    let (_app, locum) = with("max_connections = 2\n").await;
    let agent = locum.agent().await;
    // The session's start was on a connection that may still be closing.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut one = locum.connect(&agent.host).await;
    let mut two = locum.connect(&agent.host).await;
    assert_eq!(one.ask(&agent.get("/")).await.status, 200);
    assert_eq!(two.ask(&agent.get("/")).await.status, 200);
    assert!(
        locum
            .trust
            .try_tls(locum.port, &agent.host, &[])
            .await
            .is_err()
    );
    assert!(locum.hits("Connections").await >= 1.0);
    drop(one);
    let began = Instant::now();
    while locum
        .trust
        .try_tls(locum.port, &agent.host, &[])
        .await
        .is_err()
    {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the place was not given back"
        );
    }
}

#[tokio::test]
async fn heads() {
    let (app, locum) =
        with("max_headers = 16\nmax_head_bytes = \"4KiB\"\nmax_uri_bytes = \"256B\"\n").await;
    let agent = locum.agent().await;
    let many = fields(20);
    let long = format!("X-Long: {}\r\n", "v".repeat(5000));
    let far = format!("/{}", "t".repeat(300));
    let cases = [
        (
            "/many",
            many.as_str(),
            431,
            "too-many-headers",
            "HeaderCount",
        ),
        ("/long", &long, 431, "head-too-large", "HeadBytes"),
        (&far, "", 414, "uri-too-long", "UriBytes"),
    ];
    for (target, fields, status, reason, limit) in cases {
        let answer = locum
            .ask(&agent, &agent.request("GET", target, fields))
            .await;
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason));
        assert!(locum.hits(limit).await >= 1.0, "{limit}");
        locum.record(|one| refused(one, reason)).await;
        let mut client = locum.http2(&agent.host).await;
        let mut request = client
            .request("GET", &agent.host, target)
            .header("cookie", &agent.cookie);
        for line in fields.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name.to_ascii_lowercase(), value);
        }
        let answer = client.ask(request.body(()).unwrap()).await.unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, reason),
            "HTTP/2"
        );
        assert!(locum.hits(limit).await >= 2.0, "{limit}");
    }
    assert!(app.heard().is_empty());
    assert_eq!(locum.get(&agent, "/fine").await.status, 200);
}

#[tokio::test]
async fn request_bodies() {
    let (app, locum) = with("max_request_body = \"10B\"\n").await;
    let agent = locum.agent().await;
    assert_eq!(
        locum
            .ask(&agent, &agent.post("/fits", "", "0123456789"))
            .await
            .status,
        200
    );
    let answer = locum
        .ask(&agent, &agent.post("/declared", "", "0123456789a"))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (413, "body-too-large")
    );
    assert_eq!(app.saw("/declared"), 0);
    let chunked = agent.request("POST", "/chunked", "Transfer-Encoding: chunked\r\n");
    let answer = locum
        .ask(&agent, &(chunked + "b\r\n0123456789a\r\n0\r\n\r\n"))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (413, "body-too-large")
    );
    assert!(
        app.heard()
            .iter()
            .all(|one| one.target() != "/chunked" || one.body.is_empty())
    );
    assert!(locum.hits("RequestBody").await >= 2.0);
}

#[tokio::test]
async fn a_body_that_stops_coming() {
    let (_app, locum) = with("request_body_idle_timeout = \"300ms\"\n").await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.request("POST", "/slow", "Content-Length: 10\r\n") + "01234")
        .await;
    let answer = conn.answer(false).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (408, "body-timeout")
    );
    assert!(locum.hits("RequestBodyIdle").await >= 1.0);
}

#[tokio::test]
async fn a_client_that_takes_nothing() {
    let app = Upstream::start(|_, wire| {
        Box::pin(async move {
            wire.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                1 << 26
            ))
            .await;
            while !wire.is_over {
                wire.send(vec![b'd'; 1 << 16]).await;
            }
        })
    })
    .await;
    let limits = "response_idle_timeout = \"300ms\"\n";
    let locum = Locum::start(&Plan::new(&app.address).limits(limits)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.get("/")).await;
    locum
        .until("locum_limit_hits_total{limit=\"ResponseIdle\"}", 1.0)
        .await;
    locum.until("locum_exchanges_aborted_total", 1.0).await;
}

#[tokio::test]
async fn waiting_for_a_handshake_or_a_head() {
    let (_app, locum) =
        // Long enough for an honest handshake on a machine that does much else.
        with("handshake_timeout = \"3s\"\nheader_timeout = \"3s\"\nidle_timeout = \"20s\"\n")
            .await;
    let agent = locum.agent().await;
    let mut silent = Conn::plain(locum.port).await;
    silent.closed().await;
    locum
        .until("locum_limit_hits_total{limit=\"HandshakeTimeout\"}", 1.0)
        .await;
    let mut slow = locum.connect(&agent.host).await;
    slow.send("GET / HTTP/1.1\r\nHost: ").await;
    let answer = slow.answer(false).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (408, "head-timeout")
    );
    slow.closed().await;
    assert!(locum.hits("HeaderTimeout").await >= 1.0);
    locum.record(|one| refused(one, "head-timeout")).await;
}

#[tokio::test]
async fn idle_connections() {
    let (_app, locum) = with("idle_timeout = \"300ms\"\n").await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    assert_eq!(conn.ask(&agent.get("/")).await.status, 200);
    conn.closed().await;
    assert!(locum.hits("IdleTimeout").await >= 1.0);
    let mut client = locum.http2(&agent.host).await;
    let request = client
        .request("GET", &agent.host, "/")
        .header("cookie", &agent.cookie);
    assert_eq!(
        client.ask(request.body(()).unwrap()).await.unwrap().status,
        200
    );
    let before = locum.hits("IdleTimeout").await;
    locum
        .until(
            "locum_limit_hits_total{limit=\"IdleTimeout\"}",
            before + 1.0,
        )
        .await;
    let _ = tokio::time::timeout(Duration::from_secs(5), &mut client.task)
        .await
        .expect("the connection ends");
}

#[tokio::test]
async fn streams_of_one_http2_connection() {
    let app = Upstream::start(|_, wire| Box::pin(wire.closed())).await;
    let locum =
        Locum::start(&Plan::new(&app.address).limits("h2_max_concurrent_streams = 2\n")).await;
    let agent = locum.agent().await;
    let mut client = locum.http2(&agent.host).await;
    let mut open = Vec::new();
    for n in 0..4 {
        let request = client
            .request("GET", &agent.host, &format!("/{n}"))
            .header("cookie", &agent.cookie);
        let request = request.body(()).unwrap();
        // A well-behaved client waits for room.
        let opening = client.open(request, true);
        if let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), opening).await {
            open.push(stream.unwrap());
        }
    }
    app.until(2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(app.heard().len(), 2);
}

#[tokio::test]
async fn rapid_resets() {
    let (_app, locum) = with("h2_max_pending_resets = 5\n").await;
    let agent = locum.agent().await;
    let mut client = locum.http2(&agent.host).await;
    for _ in 0..2000 {
        let request = client
            .request("GET", &agent.host, "/")
            .header("cookie", &agent.cookie);
        let Ok((_, mut sending)) = client.open(request.body(()).unwrap(), false).await else {
            break;
        };
        sending.send_reset(h2::Reason::CANCEL);
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), &mut client.task).await;
    // The reason is in a GOAWAY that a client which only writes may not get to read.
    assert!(ended.expect("the connection ends").unwrap().is_err());
    locum
        .until("locum_limit_hits_total{limit=\"Http2Resets\"}", 1.0)
        .await;
    // Others are served all the while.
    assert_eq!(locum.get(&agent, "/").await.status, 200);
}

#[tokio::test]
async fn guessing() {
    let (_app, locum) = with("max_sign_in_attempts = 3\n").await;
    let issued = locum.issue(&[]);
    let guess = format!(
        "GET /.locum/start?code={} HTTP/1.1\r\nHost: {}\r\n\r\n",
        "A".repeat(43),
        issued.host()
    );
    let mut conn = locum.connect(&issued.host()).await;
    for _ in 0..3 {
        assert_eq!(conn.ask(&guess).await.status, 401);
    }
    let answer = conn.ask(&guess).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (429, "too-many-attempts")
    );
    // The right code does not help who guessed before.
    assert_eq!(locum.redeem(&issued).await.status, 429);
    assert!(locum.hits("SignInAttempts").await >= 2.0);
    locum.record(|one| refused(one, "too-many-attempts")).await;
}

#[tokio::test]
async fn chunk_extensions() {
    let (_app, locum) = with("max_chunk_extension_bytes = \"16B\"\n").await;
    let agent = locum.agent().await;
    let head = agent.request("POST", "/", "Transfer-Encoding: chunked\r\n");
    let mut conn = locum.connect(&agent.host).await;
    conn.send(format!("{head}1;{}\r\na\r\n0\r\n\r\n", "e".repeat(40)))
        .await;
    assert_eq!(conn.answer(false).await.status, 400);
    assert!(locum.hits("ChunkExtension").await >= 1.0);
}

#[tokio::test]
async fn sessions() {
    let (_app, locum) = with("max_sessions = 1\n").await;
    let _agent = locum.agent().await;
    let answer = locum.redeem(&locum.issue(&[])).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (503, "sessions-full")
    );
}

#[tokio::test]
async fn what_an_app_answers() {
    let app = Upstream::start(|heard, wire| {
        Box::pin(async move {
            let many = fields(40);
            let long = format!("X-Long: {}\r\n", "v".repeat(9000));
            wire.ok(
                if heard.target() == "/many" {
                    &many
                } else {
                    &long
                },
                "",
            )
            .await;
        })
    })
    .await;
    let limits = "max_response_headers = 16\nmax_response_head_bytes = \"8KiB\"\n";
    let locum = Locum::start(&Plan::new(&app.address).limits(limits)).await;
    let agent = locum.agent().await;
    for target in ["/many", "/long"] {
        let answer = locum.get(&agent, target).await;
        assert_eq!(answer.status, 502, "{target}: {answer:?}");
        answer.reason();
    }
}
