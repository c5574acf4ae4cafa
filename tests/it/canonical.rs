//! Every reason of the canonical request, on raw sockets against the real binary: refused by its name, on record
//! once, and the app sees nothing.

use crate::probed::{Probed, exchange_of};
use locum::model::Reason;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A request line and Host, and what comes after. `app.test` stands for the session's own host; its cookie follows
/// the first Host line.
fn get(target: &str, rest: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n{rest}\r\n")
}

fn chunked(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

fn over_http1() -> Vec<(Reason, String)> {
    use Reason::*;
    let bare = |head: &str| format!("{head}\r\n\r\n");
    vec![
        (
            LengthAndEncoding,
            get("/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
        ),
        (
            TransferEncoding,
            get("/", "Transfer-Encoding: gzip, chunked\r\n"),
        ),
        (ContentLength, get("/", "Content-Length: 5, 5\r\n")),
        (Chunk, chunked("5\r\nhello0\r\n\r\n")),
        (HostInvalid, bare("GET / HTTP/1.1")),
        (HostInvalid, bare("GET / HTTP/1.0")),
        (HostDuplicate, get("/", "Host: app.test\r\n")),
        (HostConflict, get("http://other.test/", "")),
        (HostForeign, bare("GET / HTTP/1.1\r\nHost: other.test")),
        (TargetAbsolute, get("https://app.test/", "")),
        (
            TargetAuthority,
            bare("CONNECT app.test HTTP/1.1\r\nHost: app.test"),
        ),
        (TargetAsterisk, get("*", "")),
        (ObsFold, get("/", "X-A: b\r\n c\r\n")),
        (BareLf, "GET / HTTP/1.1\nHost: app.test\r\n\r\n".into()),
        (ControlByte, get("/", "X-A: b\0c\r\n")),
        (Malformed, get("/", "X-A : b\r\n")),
        (Version, bare("GET / HTTP/1.2\r\nHost: app.test")),
        (
            ConnectionNominates,
            get("/", "Connection: close, Authorization\r\n"),
        ),
        (EncodedSlash, get("/a%2Fb", "")),
        (Backslash, get("/a\\b", "")),
        (Backslash, get("/a%5cb", "")),
        (EncodedNul, get("/a%00", "")),
        (EncodedControl, get("/a%0d%0ab", "")),
        (DotSegment, get("/a/../b", "")),
        (DotSegment, get("/a/%2e%2E/b", "")),
        (DoubleEncoding, get("/a%252fb", "")),
        (MalformedTriplet, get("/a%2", "")),
        (PathParameter, get("/a;b", "")),
        (EmptySegment, get("//a", "")),
        (RawNonAscii, get("/caf\u{e9}", "")),
        (Fragment, get("/a#b", "")),
        (TargetByte, get("/a<b", "")),
        (
            MethodOverride,
            get("/", "X-HTTP-Method-Override: DELETE\r\n"),
        ),
        (MethodOverride, get("/?_method=delete", "")),
        (
            H2cUpgrade,
            get(
                "/",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            ),
        ),
        (Expectation, get("/", "Expect: magic\r\n")),
        (MethodCase, bare("get / HTTP/1.1\r\nHost: app.test")),
        (HeaderAlias, get("/", "Content_Length: 5\r\n")),
        (Trailer, chunked("0\r\nAuthorization: Bearer x\r\n\r\n")),
    ]
}

fn wanted_status(reason: Reason) -> u16 {
    match reason {
        Reason::Expectation => 417,
        Reason::Version => 505,
        _ => 400,
    }
}

impl Probed {
    /// `raw` with the session's host and cookie in it.
    fn own(&self, raw: &str) -> String {
        let line = format!("Host: app.test\r\n{}", self.cookie);
        let raw = raw.replacen("Host: app.test\r\n", &line, 1);
        raw.replace("app.test", &self.host)
    }

    /// Panics unless the journal holds one record of `exchange`, and it is a refusal for `reason`.
    fn check_record(&self, exchange: &str, reason: &str, status: u16) {
        let records = self.records_of(exchange);
        let [record] = records.as_slice() else {
            panic!("{reason}: {} records of {exchange}", records.len());
        };
        assert_eq!(record["metadata"]["event_code"], "exchange.refused");
        assert_eq!(record["status_detail"], reason, "{record}");
        assert_eq!(record["status_code"], status.to_string(), "{record}");
    }

    /// Sends `raw`, and checks answer, record and that the app is left alone.
    async fn check_refused(&self, raw: &str, reason: &str, status: u16) {
        let answer = self.ask(self.own(raw).as_bytes()).await;
        assert_eq!(answer.status, status, "{reason}: {raw:?}: {answer:?}");
        let kind = format!("urn:locum:refusal:{reason}\"");
        assert!(answer.body.contains(&kind), "{raw:?}: {answer:?}");
        self.check_record(&answer.exchange(), reason, status);
        assert!(self.app.is_untouched(), "{reason}: the app saw something");
    }
}

#[tokio::test]
async fn over_http1_every_reason_is_refused_recorded_and_nothing_reaches_the_app() {
    let probed = Probed::start("").await;
    let cases = over_http1();
    for reason in Reason::ALL {
        assert!(
            cases.iter().any(|(tried, _)| tried == reason),
            "no case for {reason}"
        );
    }
    for (reason, raw) in cases {
        let status = wanted_status(reason);
        probed.check_refused(&raw, reason.name(), status).await;
    }
}

#[tokio::test]
async fn over_http1_the_limits_of_a_head_are_refused_and_recorded() {
    let probed = Probed::start("max_headers = 20\nmax_uri_bytes = \"256B\"").await;
    let long = "a".repeat(300);
    let many = (0..30).fold(String::new(), |all, n| format!("{all}X-{n}: a\r\n"));
    let large = format!("X-Large: {}\r\n", "a".repeat(80_000));
    let cases = [
        (414, "uri-too-long", get(&format!("/{long}"), "")),
        (431, "too-many-headers", get("/", &many)),
        (431, "head-too-large", get("/", &large)),
    ];
    for (status, reason, raw) in cases {
        probed.check_refused(&raw, reason, status).await;
    }
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let probed = Probed::start("header_timeout = \"700ms\"").await;
    let mut stream = TcpStream::connect(&probed.address).await.unwrap();
    let began = std::time::Instant::now();
    let head =
        probed.own("GET / HTTP/1.1\r\nHost: app.test\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        for byte in head.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
    tokio::select! {
        () = drip => {}
        read = tokio::time::timeout(Duration::from_secs(20), read) => {
            read.expect("the connection is closed").unwrap();
        }
    }
    assert!(began.elapsed() >= Duration::from_millis(690));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    let exchange = exchange_of(body.as_bytes());
    probed.check_record(&exchange, "head-timeout", 408);
    assert!(probed.locum.hits("HeaderTimeout").await >= 1.0);
    assert!(probed.app.is_untouched());
}

/// A case over HTTP/2: reason, method, target, header fields.
type OverHttp2 = (
    Reason,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Framing, line and version reasons do not exist there, nor do `Connection` and `Upgrade`; a fragment is cut off
/// by the `http` crate before anyone sees it, so that policy and upstream agree on the path without it.
const OVER_HTTP2: &[OverHttp2] = &[
    (
        Reason::HostConflict,
        "GET",
        "http://app.test/",
        &[("host", "other.test")],
    ),
    (
        Reason::HostDuplicate,
        "GET",
        "http://app.test/",
        &[("host", "app.test"), ("host", "app.test")],
    ),
    (Reason::HostInvalid, "GET", "http://u@app.test/", &[]),
    (Reason::HostForeign, "GET", "http://other.test/", &[]),
    (Reason::TargetAuthority, "CONNECT", "app.test:80", &[]),
    (Reason::EncodedSlash, "GET", "http://app.test/a%2Fb", &[]),
    (Reason::Backslash, "GET", "http://app.test/a\\b", &[]),
    (Reason::EncodedNul, "GET", "http://app.test/a?b=%00", &[]),
    (Reason::EncodedControl, "GET", "http://app.test/a%0a", &[]),
    (Reason::DotSegment, "GET", "http://app.test/a/%2e./b", &[]),
    (Reason::DoubleEncoding, "GET", "http://app.test/a%252e", &[]),
    (Reason::MalformedTriplet, "GET", "http://app.test/a%", &[]),
    (Reason::PathParameter, "GET", "http://app.test/a;b", &[]),
    (Reason::EmptySegment, "GET", "http://app.test//a", &[]),
    (Reason::RawNonAscii, "GET", "http://app.test/caf\u{e9}", &[]),
    (Reason::TargetByte, "GET", "http://app.test/a|b", &[]),
    (
        Reason::MethodOverride,
        "GET",
        "http://app.test/",
        &[("x-method-override", "PUT")],
    ),
    (Reason::MethodCase, "get", "http://app.test/", &[]),
    (
        Reason::HeaderAlias,
        "GET",
        "http://app.test/",
        &[("x_forwarded_for", "1")],
    ),
    (
        Reason::Expectation,
        "GET",
        "http://app.test/",
        &[("expect", "magic")],
    ),
];

/// Sends one request over HTTP/2 by prior knowledge; status and body of the answer.
async fn over_http2(
    probed: &Probed,
    request: http::Request<()>,
) -> (http::response::Parts, Vec<u8>) {
    let stream = TcpStream::connect(&probed.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let (parts, mut body) = response.await.expect("an answer").into_parts();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.unwrap());
    }
    connection.abort();
    (parts, all)
}

fn http2_request(
    probed: &Probed,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
) -> http::Request<()> {
    let own = |text: &str| text.replace("app.test", &probed.host);
    let cookie = probed.cookie.trim_end().trim_start_matches("Cookie: ");
    let target = if method == "CONNECT" {
        target.into()
    } else {
        own(target)
    };
    let mut request = http::Request::builder()
        .method(method)
        .uri(target)
        .header("cookie", cookie);
    for (name, value) in fields {
        request = request.header(*name, own(value));
    }
    request.body(()).unwrap()
}

#[tokio::test]
async fn over_http2_what_applies_is_refused_recorded_and_nothing_reaches_the_app() {
    let probed = Probed::start("").await;
    for (reason, method, target, fields) in OVER_HTTP2 {
        let request = http2_request(&probed, method, target, fields);
        let (parts, body) = over_http2(&probed, request).await;
        let status = wanted_status(*reason);
        let text = String::from_utf8_lossy(&body);
        assert_eq!(parts.status, status, "{reason}: {text}");
        probed.check_record(&exchange_of(&body), reason.name(), status);
        assert!(probed.app.is_untouched(), "{reason}: the app saw something");
    }
}

#[tokio::test]
async fn a_plain_request_reaches_the_app_over_both() {
    let probed = Probed::start("").await;
    let plain = probed.own(&get("/%61/b?c=d", "Accept: */*\r\n"));
    let answer = probed.ask(plain.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "seen"));
    let request = http2_request(&probed, "GET", "http://app.test/a", &[]);
    let (parts, body) = over_http2(&probed, request).await;
    assert_eq!(
        (parts.status.as_u16(), body.as_slice()),
        (200, &b"seen"[..])
    );
    assert_eq!(probed.app.read_strictly(), 2);
    let seen = probed.app.bytes().concat();
    assert!(seen.starts_with(b"GET /a/b?c=d HTTP/1.1\r\n"));
}

/// The body streams, so the app has seen the head by then; it never sees the end.
#[tokio::test]
async fn over_http2_a_trailer_that_must_not_be_one_breaks_the_request_off() {
    let probed = Probed::start("").await;
    let stream = TcpStream::connect(&probed.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let fields = [("trailer", "authorization, x-sum")];
    let request = http2_request(&probed, "POST", "http://app.test/", &fields);
    let (response, mut body) = client.send_request(request, false).unwrap();
    body.send_data("hi".into(), false).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    trailers.insert("authorization", "Bearer x".parse().unwrap());
    body.send_trailers(trailers).unwrap();
    assert_eq!(response.await.unwrap().status(), 400);
    connection.abort();
    assert_eq!(probed.app.read_strictly(), 0, "the app saw a whole request");
    let records = probed.records();
    let is_closed =
        |record: &&serde_json::Value| record["metadata"]["event_code"] == "exchange.closed";
    let closed = records.iter().find(is_closed).expect("a closing record");
    assert_eq!(closed["status_code"], "400", "{closed}");
    assert!(closed.to_string().contains("\"trailer\""), "{closed}");
}

/// RFC 9110 §9.3.8: what Locum puts on for the app (cookies, the assertion) would come back to the operator.
#[tokio::test]
async fn trace_is_not_forwarded() {
    let probed = Probed::start("").await;
    let raw = "TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n";
    probed.check_refused(raw, "trace", 501).await;
}

#[tokio::test]
async fn options_of_the_server_are_answered_by_locum() {
    let probed = Probed::start("").await;
    let raw = probed.own("OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let answer = probed.ask(raw.as_bytes()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(
        answer.head.contains("\r\nallow: get, head, post, "),
        "{answer:?}"
    );
    let stranger = format!("OPTIONS * HTTP/1.1\r\nHost: {}\r\n\r\n", probed.host);
    assert_eq!(probed.ask(stranger.as_bytes()).await.status, 401);
    let records = probed.records();
    let about = |record: &&serde_json::Value| record["status_detail"] == "server-options";
    let [record] = records.iter().filter(about).collect::<Vec<_>>()[..] else {
        panic!("not one record: {records:#?}");
    };
    assert_eq!(record["metadata"]["event_code"], "exchange.answered");
    assert!(probed.app.is_untouched());
}
