//! Every reason of the canonical request, on raw sockets: refused by its name, and the app sees nothing.

use crate::stage;
use locum::model::Reason;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request line and Host, and what comes after.
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
        (TargetAbsolute, get("https://app.test:80/", "")),
        (
            TargetAuthority,
            bare("CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80"),
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

#[tokio::test]
async fn over_http1_every_reason_is_refused_and_nothing_reaches_the_app() {
    let stage = stage::serve().await;
    let cases = over_http1();
    for reason in Reason::ALL {
        assert!(
            cases.iter().any(|(tried, _)| tried == reason),
            "no case for {reason}"
        );
    }
    for (reason, raw) in cases {
        let mut stream = TcpStream::connect(&stage.address).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer[..read.unwrap().unwrap()]).into_owned();
        let status = format!(" {} ", wanted_status(reason));
        assert!(
            answer[8..].starts_with(&status),
            "{reason}: {raw:?}: {answer}"
        );
        assert!(
            answer.contains(&format!("x-reason: {reason}\r\n")),
            "{raw:?}: {answer}"
        );
    }
    assert_eq!(stage.reached.load(Ordering::Relaxed), 0);
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

#[tokio::test]
async fn over_http2_what_applies_is_refused_and_nothing_reaches_the_app() {
    let stage = stage::serve().await;
    for (reason, method, target, fields) in OVER_HTTP2 {
        let stream = TcpStream::connect(&stage.address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = http::Request::builder().method(*method).uri(*target);
        for (name, value) in *fields {
            request = request.header(*name, *value);
        }
        let mut client = client.ready().await.unwrap();
        let (response, _) = client
            .send_request(request.body(()).unwrap(), true)
            .unwrap();
        let response = response
            .await
            .unwrap_or_else(|why| panic!("{reason}: {why}"));
        assert_eq!(response.status(), wanted_status(*reason), "{reason}");
        assert_eq!(response.headers()["x-reason"], reason.name());
        connection.abort();
    }
    assert_eq!(stage.reached.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_plain_request_reaches_the_app_over_both() {
    let stage = stage::serve().await;
    let mut stream = TcpStream::connect(&stage.address).await.unwrap();
    let plain = get("/%61/b?c=d", "Accept: */*\r\n");
    stream.write_all(plain.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let stream = TcpStream::connect(&stage.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://app.test/a").body(()).unwrap();
    let (response, _) = client
        .ready()
        .await
        .unwrap()
        .send_request(request, true)
        .unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
    connection.abort();
    assert_eq!(stage.reached.load(Ordering::Relaxed), 2);
}
