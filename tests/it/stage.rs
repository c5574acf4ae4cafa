//! Guard and canonical on a real socket, in front of an app that answers 200 to whatever reaches it and counts.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use locum::proxy::canonical::{Authority, Seen, canonical, status};
use locum::proxy::guard::{Guard, Limits, Note, Notes};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running server; it ends when dropped.
pub(crate) struct Stage {
    /// Speaks HTTP/1.1, and HTTP/2 to who begins so.
    pub(crate) address: String,
    /// How many requests reached the app.
    pub(crate) reached: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `127.0.0.1` and `app.test`; other hosts are foreign.
pub(crate) async fn serve() -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reached);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&counter)));
        }
    });
    Stage {
        address,
        reached,
        task,
    }
}

async fn connection(stream: TcpStream, reached: Arc<AtomicUsize>) {
    let mut start = [0; 18];
    // Only what begins an HTTP/2 connection in one write is taken for one.
    stream.readable().await.unwrap();
    let read = stream.peek(&mut start).await.unwrap_or(0);
    if start[..read].starts_with(b"PRI * HTTP/2.0\r\n\r\n") && !start[..read].ends_with(b"S") {
        let service = service_fn(move |request| {
            let reached = Arc::clone(&reached);
            async move {
                Ok::<_, Infallible>(answer(request, None, &Notes::default(), 0, &reached).await)
            }
        });
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.enable_connect_protocol();
        let _ = builder
            .serve_connection(TokioIo::new(stream), service)
            .await;
        return;
    }
    let notes = Arc::new(Notes::default());
    let guard = Guard::new(stream, Limits::default(), Arc::clone(&notes));
    let service = service_fn(move |request| {
        let (notes, reached) = (Arc::clone(&notes), Arc::clone(&reached));
        let numbered = notes.next();
        async move {
            let answer = answer(
                request,
                numbered.note.as_ref(),
                &notes,
                numbered.head,
                &reached,
            );
            Ok::<_, Infallible>(answer.await)
        }
    });
    let builder = hyper::server::conn::http1::Builder::new();
    let _ = builder.serve_connection(guard, service).await;
}

fn respond(status: u16, reason: &str) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header("x-reason", reason);
    response.body(Full::default()).unwrap()
}

async fn answer(
    request: Request<Incoming>,
    note: Option<&Note>,
    notes: &Notes,
    head: u64,
    reached: &AtomicUsize,
) -> Response<Full<Bytes>> {
    if let Some(fault) = note.and_then(|note| note.fault) {
        return respond(fault.status(), fault.name());
    }
    let (parts, body) = request.into_parts();
    let refused = {
        let serves = |host: &Authority<'_>| matches!(&*host.name, "127.0.0.1" | "app.test");
        let seen = Seen {
            note,
            serves: Some(&serves),
            ..Seen::default()
        };
        let findings = canonical(&parts, &seen).findings;
        findings
            .first()
            .map(|reason| (status(findings), reason.name()))
    };
    if let Some((status, name)) = refused {
        return respond(status, name);
    }
    match body.collect().await {
        Ok(_) => {
            reached.fetch_add(1, Ordering::Relaxed);
            respond(200, "")
        }
        Err(_) => match notes.body_fault(head) {
            Some(fault) => respond(fault.status(), fault.name()),
            None => respond(400, "body"),
        },
    }
}
