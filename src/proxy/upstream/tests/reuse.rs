//! Connections are used again; one that closes as it is used again is not noticed, and nothing is sent twice
//! that must not be.

use super::*;
use http::StatusCode;

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (address, seen) = serve(answer_all).await;
    let app = upstream(vec![address], |_| {});
    for _ in 0..20 {
        assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 20));
    let counts = app.snapshot();
    assert_eq!(
        (
            counts.connects,
            counts.reuses,
            counts.in_flight,
            counts.open
        ),
        (1, 19, 0, 1)
    );
}

#[tokio::test]
async fn head_204_and_304_give_the_connection_back_without_a_read() {
    let (address, seen) = serve(|_, mut socket, seen| async move {
        for status in [
            "200 OK\r\ncontent-length: 99",
            "204 No Content",
            "304 Not Modified",
        ] {
            if head(&mut socket, &seen).await.is_some() {
                say(&mut socket, &format!("HTTP/1.1 {status}\r\n\r\n")).await;
            }
        }
        answer_all(0, socket, seen).await;
    })
    .await;
    let app = upstream(vec![address], |_| {});
    for method in [Method::HEAD, Method::GET, Method::GET] {
        drop(app.send(0, request(method, "/")).await.expect("response"));
        settle().await;
    }
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    assert_eq!((seen.connections(), seen.requests()), (1, 4));
}

#[tokio::test]
async fn a_body_dropped_in_the_middle_closes_its_connection() {
    let (address, seen) = serve(|_, mut socket, seen| async move {
        while head(&mut socket, &seen).await.is_some() {
            say(
                &mut socket,
                "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nsome",
            )
            .await;
        }
    })
    .await;
    let app = upstream(vec![address], |_| {});
    drop(app.send(0, get("/")).await.expect("response"));
    settle().await;
    assert_eq!((app.snapshot().open, app.snapshot().in_flight), (0, 0));
    drop(app.send(0, get("/")).await.expect("response"));
    assert_eq!(seen.connections(), 2);
}

/// First connection: one answer, then it reads the second request's head and closes without a word.
async fn close_as_reused(number: usize, mut socket: TcpStream, seen: Arc<Seen>) {
    if number > 0 {
        return answer_all(number, socket, seen).await;
    }
    head(&mut socket, &seen).await;
    say(&mut socket, OK).await;
    let mut byte = [0u8; 1];
    let _ = socket.read(&mut byte).await;
}

#[tokio::test]
async fn a_get_is_repeated_when_the_connection_closes_as_it_is_reused() {
    let (address, seen) = serve(close_as_reused).await;
    let app = upstream(vec![address], |_| {});
    assert_eq!(text(app.send(0, get("/one")).await).await, "ok");
    assert_eq!(text(app.send(0, get("/two")).await).await, "ok");
    assert_eq!((seen.connections(), seen.requests()), (2, 2));
    assert_eq!(app.snapshot().retries, 1);
}

#[tokio::test]
async fn a_post_that_was_sent_is_not_repeated() {
    let (address, seen) = serve(close_as_reused).await;
    let app = upstream(vec![address], |_| {});
    assert_eq!(text(app.send(0, get("/one")).await).await, "ok");
    let error = app.send(0, post("/two", "pay")).await.expect_err("closed");
    assert!(matches!(error, UpstreamError::Closed { .. }), "{error:?}");
    assert_eq!(error.status(), StatusCode::BAD_GATEWAY);
    assert_eq!((seen.connections(), app.snapshot().retries), (1, 0));
}

#[tokio::test]
async fn a_post_without_a_body_is_not_repeated_either() {
    let (address, seen) = serve(close_as_reused).await;
    let app = upstream(vec![address], |_| {});
    assert_eq!(text(app.send(0, get("/one")).await).await, "ok");
    let error = app.send(0, request(Method::POST, "/two")).await;
    assert!(matches!(error, Err(UpstreamError::Closed { .. })));
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn a_post_meets_a_connection_whose_end_has_arrived_and_takes_a_new_one() {
    let (address, seen) = serve(|number, mut socket, seen| async move {
        if number > 0 {
            return answer_all(number, socket, seen).await;
        }
        head(&mut socket, &seen).await;
        say(&mut socket, OK).await;
    })
    .await;
    // A thread of its own for the app: its close arrives while this one does not look at its sockets.
    let app = upstream(vec![address], |_| {});
    assert_eq!(text(app.send(0, get("/one")).await).await, "ok");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(app.send(0, post("/two", "pay")).await).await, "ok");
    assert_eq!((seen.connections(), seen.requests()), (2, 2));
}

/// The same with the app in another thread, so that its FIN waits in the kernel unread when the POST comes.
#[test]
fn a_post_sees_an_end_that_waits_in_the_kernel() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let app_side = std::thread::spawn(move || {
        for last in [false, true] {
            let (mut socket, _) = listener.accept().expect("accept");
            let mut got = Vec::new();
            let mut buf = [0u8; 512];
            while !got.ends_with(if last { b"pay" } else { b"\r\n\r\n" }) {
                let n = socket.read(&mut buf).expect("read");
                assert!(n > 0, "closed early");
                got.extend_from_slice(&buf[..n]);
            }
            socket.write_all(OK.as_bytes()).expect("write");
            // The socket closes here, while the proxy's thread sleeps.
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        let app = upstream(vec![Address::Tcp("127.0.0.1".into(), port)], |_| {});
        assert_eq!(text(app.send(0, get("/one")).await).await, "ok");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(text(app.send(0, post("/two", "pay")).await).await, "ok");
    });
    app_side.join().expect("app");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let (address, seen) = serve(answer_all).await;
    let app = upstream(vec![address], |s| {
        s.timeouts.pool_idle = Duration::from_millis(40);
    });
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    assert_eq!(app.snapshot().open, 1);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(app.snapshot().open, 0);
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    assert_eq!(seen.connections(), 2);
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        while head(&mut socket, &seen).await.is_some() {
            settle().await;
            say(&mut socket, OK).await;
        }
    })
    .await;
    let app = upstream(vec![address], |s| s.max_idle = 2);
    let send = || async { text(app.send(0, get("/")).await).await };
    tokio::join!(send(), send(), send(), send(), send());
    settle().await;
    assert_eq!((app.snapshot().connects, app.snapshot().open), (5, 2));
}

#[tokio::test]
async fn an_early_answer_to_an_upload_does_not_poison_the_pool() {
    let (address, seen) = serve(|_, mut socket, seen| async move {
        if head(&mut socket, &seen).await.is_some() {
            say(
                &mut socket,
                "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
            settle().await;
        }
    })
    .await;
    let app = upstream(vec![address], |_| {});
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(vec![0u8; 16384])))
    });
    let mut upload = Request::new(http_body_util::StreamBody::new(endless));
    *upload.method_mut() = Method::PUT;
    let response = app.send(0, upload).await.expect("response");
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    drop(response);
    let next = app.send(0, get("/")).await.expect("response");
    assert_eq!(next.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!((seen.connections(), seen.requests()), (2, 2));
}

/// A body that never says that it is at its end: the encoder stops at the declared length.
#[tokio::test]
async fn an_upload_of_declared_length_gives_its_connection_back() {
    let (address, seen) = serve(|_, mut socket, seen| async move {
        while head(&mut socket, &seen).await.is_some() {
            let mut body = [0u8; 6];
            socket.read_exact(&mut body).await.expect("the body");
            say(&mut socket, OK).await;
        }
    })
    .await;
    let app = upstream(vec![address], |_| {});
    for _ in 0..3 {
        let frames = [b"abc", b"def"].map(|piece| {
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(piece)))
        });
        let frames = futures_util::StreamExt::chain(
            futures_util::stream::iter(frames),
            futures_util::stream::pending(),
        );
        let mut upload = Request::new(http_body_util::StreamBody::new(frames));
        *upload.method_mut() = Method::POST;
        let length = http::HeaderValue::from_static("6");
        upload.headers_mut().insert("content-length", length);
        assert_eq!(text(app.send(0, upload).await).await, "ok");
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 3));
}
