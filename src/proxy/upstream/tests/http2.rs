//! HTTP/2 to the app in clear: one connection for many requests, trailers as gRPC needs them, restarts.

use super::*;
use crate::proxy::upstream::Protocol;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An HTTP/2 server that answers by `answer`.
async fn serve_http2<F, R>(answer: F) -> (Address, Arc<Seen>)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    serve(move |_, socket, seen| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        }
    })
    .await
}

fn words(text: String) -> Answer {
    Response::new(Full::from(text).boxed())
}

fn prior(address: Address, change: impl FnOnce(&mut Settings)) -> Upstream {
    upstream(vec![address], |s| {
        s.protocol = Protocol::Http2;
        change(s);
    })
}

#[tokio::test]
async fn a_burst_shares_one_connection() {
    let (address, seen) = serve_http2(|request| async move {
        settle().await;
        words(format!("{:?} {}", request.version(), request.uri()))
    })
    .await;
    let app = prior(address, |_| {});
    let send = || async {
        let mut request = get("/a?b=c");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("shop.example:81"));
        text(app.send(0, request).await).await
    };
    let all = futures_util::future::join_all((0..50).map(|_| send())).await;
    assert!(
        all.iter()
            .all(|said| said == "HTTP/2.0 http://shop.example:81/a?b=c"),
        "{all:?}"
    );
    assert_eq!((seen.connections(), seen.requests()), (1, 50));
    assert_eq!(app.snapshot().in_flight, 0);
}

#[tokio::test]
async fn more_streams_than_allowed_open_another_connection() {
    let (address, seen) = serve_http2(|_| async {
        settle().await;
        words("ok".into())
    })
    .await;
    let app = prior(address, |s| s.max_streams = 4);
    let all = (0..10).map(|_| async { text(app.send(0, get("/")).await).await });
    futures_util::future::join_all(all).await;
    assert_eq!((seen.connections(), seen.requests()), (3, 10));
}

#[tokio::test]
async fn trailers_pass_both_ways_as_grpc_needs() {
    let (address, _) = serve_http2(|request| async move {
        assert_eq!(
            request.headers().get("te"),
            Some(&HeaderValue::from_static("trailers"))
        );
        let all = request.into_body().collect().await.expect("body");
        let sum = all
            .trailers()
            .and_then(|t| t.get("x-sum"))
            .cloned()
            .expect("a trailer");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("x-sum", sum);
        let frames = [
            Ok(Frame::data(all.to_bytes())),
            Ok(Frame::trailers(trailers)),
        ];
        Response::new(BodyExt::boxed(StreamBody::new(futures_util::stream::iter(
            frames,
        ))))
    })
    .await;
    let app = prior(address, |_| {});
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    let frames = [
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\x01a"))),
        Ok(Frame::trailers(trailers)),
    ];
    let mut call = Request::new(StreamBody::new(futures_util::stream::iter(frames)));
    *call.method_mut() = Method::POST;
    *call.uri_mut() = "/pkg.Service/Method".parse().expect("path");
    call.headers_mut()
        .insert("te", HeaderValue::from_static("trailers"));
    call.headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    let body = app.send(0, call).await.expect("response").into_body();
    let all = body.collect().await.expect("body");
    let got = all.trailers().expect("trailers");
    assert_eq!(got.get("grpc-status"), Some(&HeaderValue::from_static("0")));
    assert_eq!(got.get("x-sum"), Some(&HeaderValue::from_static("7")));
    assert_eq!(&all.to_bytes()[..], b"\0\0\0\0\x01a");
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_the_connection() {
    let (address, seen) = serve_http2(|request| async move {
        if request.uri().path() == "/endless" {
            let frames =
                futures_util::stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![0u8; 4096]))));
            return Response::new(BodyExt::boxed(StreamBody::new(frames)));
        }
        words("ok".into())
    })
    .await;
    let app = prior(address, |_| {});
    let mut body = app
        .send(0, get("/endless"))
        .await
        .expect("response")
        .into_body();
    body.frame().await.expect("some").expect("data");
    drop(body);
    assert_eq!(text(app.send(0, get("/")).await).await, "ok");
    assert_eq!((seen.connections(), app.snapshot().in_flight), (1, 0));
}

#[tokio::test]
async fn a_connection_that_went_away_is_replaced() {
    let (address, seen) = serve(|_, socket, seen| async move {
        let service = service_fn(move |_: Request<Incoming>| {
            seen.requests.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Infallible>(words("ok".into())) }
        });
        let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(socket), service);
        let _ = tokio::time::timeout(Duration::from_millis(30), serving).await;
    })
    .await;
    let app = prior(address, |_| {});
    for _ in 0..4 {
        assert_eq!(text(app.send(0, get("/")).await).await, "ok");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((seen.connections(), seen.requests()), (4, 4));
}

/// The second request meets `REFUSED_STREAM`, later ones are answered.
#[tokio::test]
async fn a_refused_stream_is_repeated_whatever_its_method() {
    let (address, seen) = serve(|_, socket, seen| async move {
        let mut connection = h2::server::handshake(socket).await.expect("handshake");
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if seen.requests.fetch_add(1, Ordering::SeqCst) == 1 {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                continue;
            }
            let _ = respond.send_response(Response::new(()), true);
        }
    })
    .await;
    let app = prior(address, |_| {});
    for _ in 0..2 {
        let asked = app.send(0, request(Method::POST, "/")).await;
        assert!(asked.is_ok(), "{asked:?}");
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 3));
}

#[tokio::test]
async fn a_reset_stream_is_not_repeated_and_leaves_the_connection() {
    let (address, seen) = serve(|_, socket, seen| async move {
        let mut connection = h2::server::handshake(socket).await.expect("handshake");
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if seen.requests.fetch_add(1, Ordering::SeqCst) == 1 {
                respond.send_reset(h2::Reason::INTERNAL_ERROR);
                continue;
            }
            let _ = respond.send_response(Response::new(()), true);
        }
    })
    .await;
    let app = prior(address, |_| {});
    assert!(app.send(0, get("/")).await.is_ok());
    assert!(app.send(0, get("/")).await.is_err());
    assert!(app.send(0, get("/")).await.is_ok());
    assert_eq!((seen.connections(), seen.requests()), (1, 3));
}
