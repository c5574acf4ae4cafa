//! Bodies stream both ways; each phase has its timeout; upgrades hand over the socket.

use super::*;
use crate::proxy::upstream::{BodyError, Fault, Phase};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use hyper_util::rt::TokioIo;

type Frames = std::pin::Pin<
    Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>,
>;

fn upload(frames: Frames) -> Request<StreamBody<Frames>> {
    let mut request = Request::new(StreamBody::new(frames));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/upload".parse().expect("path");
    request
}

#[allow(clippy::unnecessary_wraps)] // the item of a stream
fn data(size: usize) -> Result<Frame<Bytes>, std::io::Error> {
    Ok(Frame::data(Bytes::from(vec![7u8; size])))
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        let head = head(&mut socket, &seen).await.expect("head");
        assert!(
            head.to_lowercase().contains("transfer-encoding: chunked"),
            "{head}"
        );
        let mut rest = Vec::new();
        while !rest.ends_with(b"x-sum: 7\r\n\r\n") {
            rest.push(socket.read_u8().await.expect("the trailer"));
        }
        say(
            &mut socket,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n\
             2\r\nok\r\n0\r\nx-end: yes\r\n\r\n",
        )
        .await;
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    let frames = vec![data(3), Ok(Frame::trailers(trailers))];
    let mut request = upload(Box::pin(futures_util::stream::iter(frames)));
    let announced = HeaderValue::from_static("x-sum");
    request.headers_mut().insert("trailer", announced);
    let body = app.send(0, request).await.expect("response").into_body();
    let all = body.collect().await.expect("body");
    let trailers = all.trailers().expect("trailers");
    assert_eq!(
        trailers.get("x-end"),
        Some(&HeaderValue::from_static("yes"))
    );
}

/// 64 MiB down: a frame is never more than twice the read buffer, and the app cannot run ahead of the reader.
#[tokio::test]
async fn a_large_response_is_read_as_it_is_asked_for() {
    const SIZE: usize = 64 << 20;
    let (address, seen) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        say(
            &mut socket,
            &format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n"),
        )
        .await;
        let piece = vec![1u8; 1 << 16];
        for _ in 0..SIZE / piece.len() {
            if socket.write_all(&piece).await.is_err() {
                return;
            }
            // Counts pieces here, not requests.
            seen.requests.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let mut body = app.send(0, get("/")).await.expect("response").into_body();
    assert_eq!(body.size_hint().exact(), Some(SIZE as u64));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ahead = seen.requests() << 16;
    assert!(
        ahead < SIZE / 2,
        "{ahead} bytes went out before anybody read"
    );
    let (mut total, mut largest) = (0, 0);
    while let Some(frame) = body.frame().await {
        let size = frame.expect("frame").into_data().expect("data").len();
        total += size;
        largest = largest.max(size);
    }
    assert_eq!(total, SIZE);
    assert!(largest <= 512 * 1024, "{largest}");
}

#[tokio::test]
async fn a_large_request_is_taken_as_the_app_reads_it() {
    let taken = Arc::new(AtomicUsize::new(0));
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut buf = vec![0u8; 1 << 16];
        let mut last = Vec::new();
        while !last.ends_with(b"0\r\n\r\n") {
            let n = socket.read(&mut buf).await.expect("read");
            last.extend_from_slice(&buf[..n]);
            last.drain(..last.len().saturating_sub(5));
        }
        say(&mut socket, OK).await;
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let counter = Arc::clone(&taken);
    let frames = futures_util::stream::iter(0..4096).map(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        data(8192)
    });
    let sending = app.send(0, upload(Box::pin(frames)));
    tokio::pin!(sending);
    let early = tokio::time::timeout(Duration::from_millis(100), sending.as_mut()).await;
    assert!(early.is_err());
    let ahead = taken.load(Ordering::SeqCst) * 8192;
    assert!(
        ahead < 16 << 20,
        "{ahead} bytes were taken before the app read"
    );
    assert_eq!(text(sending.await).await, "ok");
    assert_eq!(taken.load(Ordering::SeqCst), 4096);
}

fn is_timeout(error: &UpstreamError, wanted: Phase, status: StatusCode) {
    let timed = matches!(error, UpstreamError::Timeout { phase, .. } if *phase == wanted);
    assert!(timed, "{error:?}");
    assert_eq!(error.status(), status);
}

async fn silent(_: usize, mut socket: TcpStream, seen: Arc<Seen>) {
    head(&mut socket, &seen).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_silent_app_times_out_and_is_not_asked_again() {
    let (address, seen) = serve(silent).await;
    let app = upstream(vec![address], |s| {
        s.timeouts.head = Duration::from_millis(60);
    });
    let error = app.send(0, get("/")).await.expect_err("timeout");
    is_timeout(&error, Phase::Head, StatusCode::GATEWAY_TIMEOUT);
    settle().await;
    assert_eq!((seen.requests(), app.snapshot().open), (1, 0));
}

#[tokio::test]
async fn an_app_that_takes_no_more_times_out() {
    let (address, _) = serve(silent).await;
    let app = upstream(vec![address], |s| {
        s.timeouts.request_idle = Duration::from_millis(150);
    });
    let frames = futures_util::stream::repeat_with(|| data(65536));
    let error = app
        .send(0, upload(Box::pin(frames)))
        .await
        .expect_err("timeout");
    is_timeout(&error, Phase::RequestBody, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(error.fault(), Fault::Upstream);
}

#[tokio::test]
async fn a_client_that_sends_no_more_times_out() {
    let (address, _) = serve(silent).await;
    let app = upstream(vec![address], |s| {
        s.timeouts.request_idle = Duration::from_millis(60);
    });
    let frames = futures_util::stream::iter([data(5)]).chain(futures_util::stream::pending());
    let error = app
        .send(0, upload(Box::pin(frames)))
        .await
        .expect_err("timeout");
    is_timeout(&error, Phase::ClientBody, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(error.fault(), Fault::Client);
}

#[tokio::test]
async fn a_slow_upload_is_no_slow_answer() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        let mut rest = Vec::new();
        while !rest.ends_with(b"0\r\n\r\n") {
            rest.push(socket.read_u8().await.expect("the body"));
        }
        say(&mut socket, OK).await;
    })
    .await;
    let app = upstream(vec![address], |s| {
        s.timeouts.head = Duration::from_millis(100);
    });
    let frames = futures_util::stream::iter(0..10).then(|_| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        data(10)
    });
    assert_eq!(
        text(app.send(0, upload(Box::pin(frames))).await).await,
        "ok"
    );
}

#[tokio::test]
async fn a_broken_client_body_is_the_clients_fault() {
    let (address, _) = serve(silent).await;
    let app = upstream(vec![address], |_| {});
    let frames = vec![data(5), Err(std::io::Error::other("gone"))];
    let error = app
        .send(0, upload(Box::pin(futures_util::stream::iter(frames))))
        .await;
    let error = error.expect_err("broken");
    assert!(
        matches!(error, UpstreamError::ClientBody { .. }),
        "{error:?}"
    );
    assert_eq!(
        (error.status(), error.fault()),
        (StatusCode::BAD_REQUEST, Fault::Client)
    );
}

#[tokio::test]
async fn connecting_times_out() {
    // A TEST-NET-1 address (RFC 5737) answers nobody; where a network says so at once, that is no timeout.
    let app = upstream(vec![Address::Tcp("192.0.2.1".into(), 9)], |s| {
        s.timeouts.connect = Duration::from_millis(80);
        s.max_attempts = 1;
    });
    let error = app.send(0, get("/")).await.expect_err("no connection");
    match &error {
        UpstreamError::Timeout { phase, .. } => assert_eq!(*phase, Phase::Connect),
        other => assert!(matches!(other, UpstreamError::Connect { .. }), "{other:?}"),
    }
}

#[tokio::test]
async fn a_body_that_stops_times_out() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        for _ in 0..4 {
            say(
                &mut socket,
                if seen.requests() == 1 {
                    "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\na"
                } else {
                    "b"
                },
            )
            .await;
            seen.requests.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    let app = upstream(vec![address], |s| {
        s.timeouts.body_idle = Duration::from_millis(90);
    });
    let mut body = app.send(0, get("/")).await.expect("response").into_body();
    let mut got = 0;
    let error = loop {
        match body.frame().await.expect("not the end") {
            Ok(frame) => got += frame.into_data().expect("data").len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BodyError::Idle(_)), "{error:?}");
    settle().await;
    assert_eq!(
        (got, app.snapshot().failed_body, app.snapshot().open),
        (4, 1, 0)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_no_end() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        say(
            &mut socket,
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort",
        )
        .await;
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let body = app.send(0, get("/")).await.expect("response").into_body();
    let error = body.collect().await.expect_err("short");
    assert!(matches!(error, BodyError::Broken(_)), "{error:?}");
    assert_eq!(app.snapshot().failed_body, 1);
}

#[tokio::test]
async fn an_answer_that_is_no_http_or_too_large_is_refused() {
    for answer in [
        "hello\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000)),
    ] {
        let (address, seen) = serve(move |_, mut socket, seen| {
            let answer = answer.clone();
            async move {
                head(&mut socket, &seen).await;
                say(&mut socket, &answer).await;
                settle().await;
            }
        })
        .await;
        let app = upstream(vec![address], |_| {});
        let error = app.send(0, get("/")).await.expect_err("no HTTP");
        assert!(matches!(error, UpstreamError::Protocol { .. }), "{error:?}");
        assert_eq!(
            (error.status(), seen.requests()),
            (StatusCode::BAD_GATEWAY, 1)
        );
    }
}

#[tokio::test]
async fn informational_answers_are_skipped() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        say(
            &mut socket,
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
        )
        .await;
        say(&mut socket, OK).await;
    })
    .await;
    let app = upstream(vec![address], |_| {});
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
}

#[tokio::test]
async fn an_upgrade_hands_over_the_socket_and_its_place() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        let head = head(&mut socket, &seen).await.expect("head").to_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        say(&mut socket, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi").await;
        let mut buf = [0u8; 4];
        socket.read_exact(&mut buf).await.expect("four bytes");
        socket.write_all(&buf).await.expect("echo");
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let mut asking = get("/socket");
    for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade")] {
        asking
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let response = app.send(0, asking).await.expect("response");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.expect("upgrade"));
    let mut buf = [0u8; 2];
    stream.read_exact(&mut buf).await.expect("hi");
    stream.write_all(b"ping").await.expect("write");
    let mut echo = [0u8; 4];
    stream.read_exact(&mut echo).await.expect("echo");
    assert_eq!((&buf, &echo), (b"hi", b"ping"));
    assert_eq!(app.snapshot().open, 1);
    drop(stream);
    assert_eq!(app.snapshot().open, 0);
}
