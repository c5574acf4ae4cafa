//! The guard in front of a real hyper server, over a duplex stream.

use super::{Fault, Guard, Limits, Note, Notes};
use crate::model::Reason;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// What the service saw of one request: method and target as hyper gave them, the note, and the body or its fault.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) note: Option<Note>,
    pub(super) body: Result<Vec<u8>, Option<Fault>>,
}

async fn serve_one(
    request: Request<hyper::body::Incoming>,
    notes: &Notes,
    seen: &Mutex<Vec<Seen>>,
) -> Response<Full<Bytes>> {
    let numbered = notes.next();
    let line = format!("{} {}", request.method(), request.uri());
    let body = match request.into_body().collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(_) => Err(notes.body_fault(numbered.head)),
    };
    let fault = numbered.note.as_ref().and_then(|note| note.fault);
    let status = match (fault, body.as_ref().err()) {
        (Some(fault), _) => fault.status(),
        (None, Some(fault)) => fault.map_or(599, Fault::status),
        (None, None) => 200,
    };
    let note = numbered.note;
    seen.lock().push(Seen { line, note, body });
    let response = Response::builder().status(status);
    response.body(Full::default()).unwrap()
}

async fn serve(io: DuplexStream, limits: Limits, seen: Arc<Mutex<Vec<Seen>>>) {
    let notes = Arc::new(Notes::default());
    let guard = Guard::new(io, limits, Arc::clone(&notes));
    let service = service_fn(move |request| {
        let (notes, seen) = (Arc::clone(&notes), Arc::clone(&seen));
        async move { Ok::<_, Infallible>(serve_one(request, &notes, &seen).await) }
    });
    let _ = http1::Builder::new()
        .max_headers(120)
        .serve_connection(guard, service)
        .await;
}

/// Sends `parts` one after another; the response bytes, and what the service saw.
pub(super) async fn exchange(parts: &[&[u8]], limits: Limits) -> (String, Vec<Seen>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut client, server) = duplex(256 * 1024);
    let server = tokio::spawn(serve(server, limits, Arc::clone(&seen)));
    for part in parts {
        // Refused early, it may be closed by now.
        if client.write_all(part).await.is_err() {
            break;
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    // No clock and no socket: after so many turns nothing is left to do.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.abort();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    let seen = seen.lock().clone();
    (String::from_utf8_lossy(&answer).into_owned(), seen)
}

fn statuses(answer: &str) -> Vec<u16> {
    let lines = answer.split("HTTP/1.").skip(1);
    lines
        .filter_map(|line| line.get(2..5)?.parse().ok())
        .collect()
}

fn get(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")
}

/// Fields that frame the body.
fn framing_cases() -> Vec<(String, Reason)> {
    use Reason::{ContentLength, TransferEncoding};
    vec![
        (get("Content-Length: 1, 1"), ContentLength),
        (get("Content-Length: +1"), ContentLength),
        (get("Content-Length: 01"), ContentLength),
        (get("Content-Length: "), ContentLength),
        (get("Content-Length:\t0"), ContentLength),
        (get("Content-Length: 0 "), ContentLength),
        (get("Content-Length: 99999999999999999999"), ContentLength),
        (get("Content-Length: 0\r\nContent-Length: 0"), ContentLength),
        (get("Content-Length: 1\r\n 0"), ContentLength),
        (get("Transfer-Encoding: gzip"), TransferEncoding),
        (get("Transfer-Encoding: Chunked"), TransferEncoding),
        (get("Transfer-Encoding: chunked, chunked"), TransferEncoding),
        (get("Transfer-Encoding: chunked "), TransferEncoding),
        (get("Transfer-Encoding:\r\n chunked"), TransferEncoding),
        (
            get("Transfer-Encoding: chunked\r\n , gzip"),
            TransferEncoding,
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            TransferEncoding,
        ),
    ]
}

/// Lines, targets and versions.
fn line_cases() -> Vec<(String, Reason)> {
    use Reason::{ControlByte, HostInvalid, Malformed, TargetAuthority, Version};
    vec![
        (get("Host: b\r\n c"), HostInvalid),
        (get("X: a\0b"), ControlByte),
        (get("X: a\rb"), ControlByte),
        (get("X: a\x7Fb"), ControlByte),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n".into(), ControlByte),
        ("GET /\0 HTTP/1.1\r\n\r\n".into(), ControlByte),
        (get("X : a"), Malformed),
        (get(": a"), Malformed),
        (get("nothing"), Malformed),
        (get("B[d: a"), Malformed),
        (get("Xë: a"), Malformed),
        ("GET / HTTP/1.1\r\n X: a\r\n\r\n".into(), Malformed),
        ("GET  / HTTP/1.1\r\n\r\n".into(), Malformed),
        ("GET / HTTP/1.1 \r\n\r\n".into(), Malformed),
        (" GET / HTTP/1.1\r\n\r\n".into(), Malformed),
        ("GET\t/ HTTP/1.1\r\n\r\n".into(), Malformed),
        ("GET /\r\n".into(), Malformed),
        ("GET index HTTP/1.1\r\n\r\n".into(), Malformed),
        ("G(T / HTTP/1.1\r\n\r\n".into(), Malformed),
        ("GET / HTTP/1\r\n\r\n".into(), Malformed),
        ("GET / http/1.1\r\n\r\n".into(), Malformed),
        ("GET / HTTP/2.0\r\n\r\n".into(), Version),
        ("GET / HTTP/1.2\r\n\r\n".into(), Version),
        ("CONNECT a:443 HTTP/1.1\r\n\r\n".into(), TargetAuthority),
        ("GET a:443 HTTP/1.1\r\n\r\n".into(), TargetAuthority),
        ("GET http://a:b:1/ HTTP/1.1\r\n\r\n".into(), HostInvalid),
        ("GET http://a,b/ HTTP/1.1\r\n\r\n".into(), HostInvalid),
    ]
}

fn body_cases() -> Vec<(String, Reason)> {
    use Reason::{Chunk, Trailer};
    let chunked = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    vec![
        (chunked("0x5\r\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("5 \r\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("5;\r\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("5;a=\"\r\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("5\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("5\r\nhello\n0\r\n\r\n"), Chunk),
        (chunked("5\r\nhello!!\r\n0\r\n\r\n"), Chunk),
        (chunked("-1\r\nhello\r\n0\r\n\r\n"), Chunk),
        (chunked("FFFFFFFFFFFFFFFF0\r\n"), Chunk),
        (chunked("FFFFFFFFFFFFFFFF\r\n"), Chunk),
        (chunked("0\r\n\n"), Chunk),
        (chunked("0\r\nContent-Length: 5\r\n\r\n"), Trailer),
        (chunked("0\r\nX_Forwarded_For: a\r\n\r\n"), Trailer),
        (chunked("0\r\nAuthorization: a\r\n\r\n"), Trailer),
    ]
}

#[tokio::test]
async fn each_fatal_reason_is_refused_and_noted() {
    let cases = [framing_cases(), line_cases(), body_cases()].concat();
    for (raw, reason) in cases {
        let (answer, seen) = exchange(&[raw.as_bytes()], Limits::default()).await;
        let wanted = if reason == Reason::Version { 505 } else { 400 };
        assert_eq!(statuses(&answer), [wanted], "{raw:?}");
        assert_eq!(seen.len(), 1, "{raw:?}");
        let note = seen[0].note.as_ref().unwrap();
        assert_eq!(note.fault, Some(Fault::Ambiguous(reason)), "{raw:?}");
        assert!(note.findings.contains(reason), "{raw:?}");
    }
}

#[tokio::test]
async fn what_can_be_rewritten_is_and_is_noted() {
    let cases: [(&str, Reason, &str, &str); 9] = [
        ("GET /a HTTP/1.1\nHost: a\n\n", Reason::BareLf, "GET /a", ""),
        (
            "GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
            Reason::ObsFold,
            "GET /a",
            "",
        ),
        (
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Reason::LengthAndEncoding,
            "POST /a",
            "hi",
        ),
        (
            "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::Fragment,
            "GET /a%23b",
            "",
        ),
        (
            "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::Fragment,
            "GET /a?b%23c",
            "",
        ),
        (
            "GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::RawNonAscii,
            "GET /caf%C3%A9",
            "",
        ),
        (
            "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::Backslash,
            "GET /a%5Cb",
            "",
        ),
        (
            "GET /a<b`?`{|}^\\ HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::TargetByte,
            "GET /a%3Cb%60?`{|}^\\",
            "",
        ),
        (
            "GET http://a/b\"c HTTP/1.1\r\nHost: a\r\n\r\n",
            Reason::TargetByte,
            "GET http://a/b%22c",
            "",
        ),
    ];
    for (raw, reason, line, body) in cases {
        let (answer, seen) = exchange(&[raw.as_bytes()], Limits::default()).await;
        assert_eq!(statuses(&answer), [200], "{raw:?}");
        let note = seen[0].note.as_ref().unwrap();
        assert_eq!(
            (note.fault, note.findings.first()),
            (None, Some(reason)),
            "{raw:?}"
        );
        assert_eq!(seen[0].line, line);
        assert_eq!(seen[0].body, Ok(body.as_bytes().to_vec()));
    }
}

#[tokio::test]
async fn every_byte_that_a_query_may_hold_comes_through_hyper() {
    for byte in 0x21..0x7F_u8 {
        let raw = [b"GET /?a=", &[byte][..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let (answer, seen) = exchange(&[&raw], Limits::default()).await;
        assert_eq!(statuses(&answer), [200], "{}", char::from(byte));
        let is_noted = b"\"<>#".contains(&byte);
        assert_eq!(seen[0].note.is_some(), is_noted, "{}", char::from(byte));
    }
}

fn limit_cases() -> Vec<(String, Fault, u16)> {
    let long = "a".repeat(2000);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    vec![
        (
            format!("GET /{long} HTTP/1.1\r\n\r\n"),
            Fault::UriTooLong,
            414,
        ),
        (format!("GET /{long}"), Fault::UriTooLong, 414),
        (
            format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n"),
            Fault::HeadTooLarge,
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nX: {long}"),
            Fault::HeadTooLarge,
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(6)),
            Fault::TooManyHeaders,
            431,
        ),
        (
            format!("{head}1;a={long}\r\n"),
            Fault::ChunkExtensionsTooLong,
            400,
        ),
        (
            format!("{head}1;a={long}"),
            Fault::ChunkExtensionsTooLong,
            400,
        ),
        (
            format!("{head}{}", "1;abcdefgh\r\na\r\n".repeat(3)),
            Fault::ChunkExtensionsTooLong,
            400,
        ),
        (
            format!("{head}0\r\nX: {long}"),
            Fault::TrailersTooLarge,
            400,
        ),
        (
            format!("{}{long} / HTTP/1.1\r\n", "A".repeat(40)),
            Fault::Ambiguous(Reason::Malformed),
            400,
        ),
        (
            format!("{} / HTTP/1.1\r\n", "A".repeat(40)),
            Fault::Ambiguous(Reason::Malformed),
            400,
        ),
    ]
}

#[tokio::test]
async fn limits_are_answered_by_their_own_status() {
    let limits = Limits {
        max_head_bytes: 1000,
        max_headers: 5,
        max_uri_bytes: 100,
        max_chunk_extension_bytes: 20,
        max_trailer_bytes: 50,
        ..Limits::default()
    };
    let cases = limit_cases();
    for (raw, fault, status) in cases {
        let (answer, seen) = exchange(&[raw.as_bytes()], limits).await;
        assert_eq!(statuses(&answer), [status], "{raw:.80}");
        assert_eq!(
            seen[0].note.as_ref().unwrap().fault,
            Some(fault),
            "{raw:.80}"
        );
    }
}

#[tokio::test]
async fn a_refused_request_is_recorded_as_it_was_sent() {
    let raw = b"POST /.locum/refused\x01 HTTP/1.1\r\nHost: a\r\n\r\n";
    let (_, seen) = exchange(&[raw], Limits::default()).await;
    let note = seen[0].note.as_ref().unwrap();
    assert_eq!(
        (&*note.method, &*note.target),
        ("POST", "/.locum/refused\\x01")
    );
}

#[tokio::test]
async fn the_synthetic_path_means_nothing_by_itself() {
    let raw = b"GET /.locum/refused HTTP/1.1\r\nHost: locum.invalid\r\n\r\n";
    let (answer, seen) = exchange(&[raw], Limits::default()).await;
    assert_eq!(statuses(&answer), [200]);
    assert_eq!(seen[0].note, None);
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_refused_and_an_idle_connection_is_not() {
    let limits = Limits {
        header_timeout: std::time::Duration::from_millis(30),
        ..Limits::default()
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut client, server) = duplex(4096);
    let server = tokio::spawn(serve(server, limits, Arc::clone(&seen)));
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    client
        .write_all(b"GET /slow HTTP/1.1\r\nHost")
        .await
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(statuses(&String::from_utf8_lossy(&answer)), [408]);
    let note = seen.lock()[0].note.clone().unwrap();
    assert_eq!(
        (note.fault, &*note.target),
        (Some(Fault::HeadTimeout), "/slow")
    );
    server.await.unwrap();
}

#[tokio::test]
async fn pipelined_requests_are_judged_each() {
    let raw = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\
        GET /2 HTTP/1.1\nHost: a\r\n\r\n\
        \r\nPOST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"\\\"\"\r\na\r\n0\r\nX-Sum: 1\r\n\r\n\
        GET /4 HTTP/1.1\r\nHost : a\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n";
    let (answer, seen) = exchange(&[raw], Limits::default()).await;
    assert_eq!(statuses(&answer), [200, 200, 200, 400]);
    let notes: Vec<bool> = seen.iter().map(|seen| seen.note.is_some()).collect();
    assert_eq!(notes, [false, true, false, true]);
    assert_eq!(seen[2].body, Ok(b"a".to_vec()));
    assert_eq!(&*seen[3].note.as_ref().unwrap().target, "/4");
}

#[tokio::test]
async fn a_body_that_turns_bad_later_fails_and_can_still_be_answered() {
    let parts: [&[u8]; 2] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"x\r\nrest",
    ];
    let (answer, seen) = exchange(&parts, Limits::default()).await;
    assert_eq!(statuses(&answer), [400]);
    assert_eq!(seen[0].body, Err(Some(Fault::Ambiguous(Reason::Chunk))));
}

#[tokio::test]
async fn a_released_guard_passes_everything() {
    let (mut client, server) = duplex(64 * 1024);
    let notes = Arc::new(Notes::default());
    let guard = Guard::new(server, Limits::default(), Arc::clone(&notes));
    let task = tokio::spawn(async move {
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            notes.next();
            notes.release();
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
                let mut bytes = vec![0; 6];
                io.read_exact(&mut bytes).await.unwrap();
                io.write_all(&bytes).await.unwrap();
            });
            let response = Response::builder()
                .status(101)
                .header("upgrade", "websocket");
            let response = response.header("connection", "upgrade");
            async move { Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap()) }
        });
        http1::Builder::new()
            .serve_connection(guard, service)
            .with_upgrades()
            .await
    });
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut answer = vec![0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 101");
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(client.read_u8().await.unwrap());
    }
    client.write_all(b"\x00\r\n\xFF\n\x81").await.unwrap();
    let mut echo = vec![0; 6];
    client.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, b"\x00\r\n\xFF\n\x81");
    task.await.unwrap().unwrap();
}
