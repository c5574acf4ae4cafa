//! Several addresses, their health, Unix sockets, and the limit on connections.

use super::*;
use crate::proxy::upstream::{Balance, BuildError, Health};
use http::StatusCode;
use tokio::net::UnixListener;

/// An address where nothing listens.
async fn nobody() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    Address::Tcp(
        "127.0.0.1".into(),
        listener.local_addr().expect("address").port(),
    )
}

#[tokio::test]
async fn requests_take_turns() {
    let (one, saw_one) = serve(answer_all).await;
    let (two, saw_two) = serve(answer_all).await;
    let app = upstream(vec![one, two], |_| {});
    for _ in 0..10 {
        assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    }
    assert_eq!((saw_one.requests(), saw_two.requests()), (5, 5));
}

#[tokio::test]
async fn a_dead_address_costs_no_request_and_rests() {
    let (alive, seen) = serve(answer_all).await;
    let app = upstream(vec![nobody().await, alive], |_| {});
    for _ in 0..12 {
        assert_eq!(text(app.send(0, post("/", "x")).await).await, "ok");
    }
    let counts = app.snapshot();
    assert_eq!(seen.requests(), 12);
    // Three failures in a row, then nobody asks it any more.
    assert_eq!(
        (counts.retries, counts.resting, counts.failed_connect),
        (3, 1, 0)
    );
}

#[tokio::test]
async fn an_address_comes_back_after_its_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    drop(listener);
    let app = upstream(vec![Address::Tcp("127.0.0.1".into(), port)], |s| {
        s.health = Health {
            failures: 1,
            rest: Duration::from_millis(50),
            max_rest: Duration::from_millis(50),
        };
        s.max_attempts = 1;
    });
    let error = app.send(0, get("/")).await.expect_err("refused");
    assert!(matches!(error, UpstreamError::Connect { .. }), "{error:?}");
    assert_eq!(
        (error.status(), app.snapshot().resting),
        (StatusCode::BAD_GATEWAY, 1)
    );
    assert!(std::error::Error::source(&error).is_some());
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("bind again");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer_all(0, socket, Arc::default()));
        }
    });
    // It still rests, but there is no other: the least bad one is asked.
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    assert_eq!(app.snapshot().resting, 0);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let addresses = vec![
        nobody().await,
        nobody().await,
        nobody().await,
        nobody().await,
    ];
    let app = upstream(addresses, |s| s.max_attempts = 3);
    assert!(app.send(0, get("/")).await.is_err());
    assert_eq!(
        (app.snapshot().retries, app.snapshot().failed_connect),
        (2, 1)
    );
}

#[tokio::test]
async fn the_least_busy_address_is_chosen() {
    let slow = |_, mut socket: TcpStream, seen: Arc<Seen>| async move {
        while head(&mut socket, &seen).await.is_some() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    let (slow, saw_slow) = serve(slow).await;
    let (quick, saw_quick) = serve(answer_all).await;
    let app = upstream(vec![slow, quick], |s| s.balance = Balance::LeastRequests);
    let stuck = app.clone();
    let stuck = tokio::spawn(async move { stuck.send(0, get("/")).await.map(drop) });
    settle().await;
    for _ in 0..6 {
        assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    }
    assert_eq!((saw_slow.requests(), saw_quick.requests()), (1, 6));
    stuck.abort();
}

#[tokio::test]
async fn a_unix_socket_is_an_address() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("app.sock");
    let listener = UnixListener::bind(&path).expect("bind");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("accept");
        let mut buf = [0u8; 4096];
        for _ in 0..2 {
            let n = socket.read(&mut buf).await.expect("read");
            let head = String::from_utf8_lossy(&buf[..n]).to_lowercase();
            assert!(head.contains("host: localhost\r\n"), "{head}");
            socket.write_all(OK.as_bytes()).await.expect("write");
        }
    });
    let app = upstream(vec![Address::Unix(path)], |_| {});
    for _ in 0..2 {
        assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    }
}

#[tokio::test]
async fn a_name_is_resolved() {
    let (address, _) = serve(answer_all).await;
    let Address::Tcp(_, port) = address else {
        panic!("TCP expected");
    };
    let app = upstream(vec![Address::Tcp("localhost".into(), port)], |_| {});
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
}

async fn slowly(_: usize, mut socket: TcpStream, seen: Arc<Seen>) {
    while head(&mut socket, &seen).await.is_some() {
        tokio::time::sleep(Duration::from_millis(30)).await;
        say(&mut socket, OK).await;
    }
}

#[tokio::test]
async fn beyond_the_limit_requests_wait_for_a_freed_connection() {
    let (address, seen) = serve(slowly).await;
    let app = upstream(vec![address], |s| s.max_connections = 2);
    let send = || async { text(app.send(0, get("/")).await).await };
    tokio::join!(send(), send(), send(), send(), send(), send());
    assert_eq!((seen.connections(), seen.requests()), (2, 6));
    assert_eq!(app.snapshot().waiting, 0);
}

#[tokio::test]
async fn beyond_the_queue_requests_are_refused() {
    let (address, _) = serve(slowly).await;
    let app = upstream(vec![address], |s| {
        s.max_connections = 1;
        s.max_waiting = 1;
    });
    let send = || app.send(0, get("/"));
    let (one, two, three) = tokio::join!(
        async { text(send().await).await },
        async { text(send().await).await },
        send()
    );
    assert_eq!((one.as_str(), two.as_str()), ("ok", "ok"));
    let error = three.expect_err("too busy");
    assert!(
        matches!(error, UpstreamError::TooBusy { connections: 1, .. }),
        "{error:?}"
    );
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn waiting_for_a_connection_ends() {
    let (address, _) = serve(|_, mut socket, seen| async move {
        head(&mut socket, &seen).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let app = upstream(vec![address], |s| {
        s.max_connections = 1;
        s.timeouts.connect = Duration::from_millis(50);
        s.timeouts.head = Duration::from_secs(2);
    });
    let stuck = app.clone();
    let stuck = tokio::spawn(async move { stuck.send(0, get("/")).await.map(drop) });
    settle().await;
    let error = app.send(0, get("/")).await.expect_err("no turn");
    assert!(error.to_string().contains("wait"), "{error}");
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    stuck.abort();
}

#[tokio::test]
async fn places_held_by_idle_connections_of_other_lanes_are_found() {
    let (address, seen) = serve(answer_all).await;
    let app = upstream(vec![address], |s| {
        s.lanes = 4;
        s.max_connections = 1;
    });
    for lane in 0..8 {
        assert_eq!(text(app.send(lane, get("/")).await).await, "ok");
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 8));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let none = Upstream::new(Settings::default());
    assert!(matches!(none, Err(BuildError::NoAddress { .. })));
    let small = Upstream::new(Settings {
        addresses: vec![Address::Tcp("a".into(), 1)],
        max_head_bytes: 100,
        ..Settings::default()
    });
    let error = small.expect_err("too small").to_string();
    assert!(error.contains("max_head_bytes"), "{error}");
}

/// Many threads over few connections, some requests given up half-way: nobody is forgotten, no place is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_share_a_few_connections() {
    let (address, seen) = serve(|_, mut socket, seen| async move {
        while head(&mut socket, &seen).await.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            say(&mut socket, OK).await;
        }
    })
    .await;
    let app = upstream(vec![address], |s| {
        s.lanes = 4;
        s.max_connections = 3;
        s.timeouts.connect = Duration::from_secs(20);
    });
    let mut tasks = Vec::new();
    for n in 0..400usize {
        let app = app.clone();
        tasks.push(tokio::spawn(async move {
            let sending = async { text(app.send(n % 4, get("/")).await).await };
            if n % 7 == 0 {
                let patience = Duration::from_millis(u64::try_from(n % 5).unwrap_or(0));
                let _ = tokio::time::timeout(patience, sending).await;
            } else {
                assert_eq!(sending.await, "ok");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    settle().await;
    let counts = app.snapshot();
    assert_eq!((counts.in_flight, counts.waiting), (0, 0));
    assert!(counts.open <= 3 && seen.requests() >= 340, "{counts:?}");
}
