//! The ops listener: metrics and health, on loopback unless told otherwise. No secrets, no customer data.

use super::{Parts, RunError};
use crate::control::http::{Handler, answer, listen as serve};
use crate::control::web::JWKS_PATH;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Serves until `drain`.
pub(super) async fn listen(
    address: SocketAddr,
    parts: Arc<Parts>,
    drain: CancellationToken,
) -> Result<JoinHandle<()>, RunError> {
    let stopping = drain.clone();
    let handler: Handler = Arc::new(move |request| route(&parts, &stopping, request));
    serve(address, None, handler, drain)
        .await
        .map_err(RunError::io(format!(
            "cannot listen on {address} (listeners.ops)"
        )))
}

fn route(
    parts: &Parts,
    stopping: &CancellationToken,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
    }
    match request.uri().path() {
        "/metrics" => answer(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            metrics(parts),
        ),
        // Being able to answer is all that liveness means; startup is over once this listener is open.
        "/healthz" | "/startupz" => answer(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => match unready(parts, stopping) {
            None => answer(StatusCode::OK, TEXT, "ready\n"),
            Some(why) => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                format!("not ready: {why}\n"),
            ),
        },
        JWKS_PATH => answer(
            StatusCode::OK,
            "application/jwk-set+json",
            parts.keys.load().jwks(),
        ),
        _ => answer(
            StatusCode::NOT_FOUND,
            TEXT,
            "/metrics /healthz /readyz /startupz /.well-known/jwks.json\n",
        ),
    }
}

/// Why requests would be refused now, if they would.
fn unready(parts: &Parts, stopping: &CancellationToken) -> Option<String> {
    if stopping.is_cancelled() {
        return Some("draining".into());
    }
    if let Err(refused) = parts.plane.journal.check() {
        return Some(format!("the journal cannot record: {refused}"));
    }
    parts.plane.live.staleness().map(|why| why.to_string())
}

/// The registry, and what other parts count by themselves.
fn metrics(parts: &Parts) -> String {
    let plane = &parts.plane;
    plane
        .metrics
        .connections
        .set(i64::try_from(plane.connections.taken()).unwrap_or(i64::MAX));
    let sessions = plane.live.stats();
    for (gauge, count) in [
        (&plane.metrics.live_sessions, sessions.open),
        (&plane.metrics.unread_sessions, sessions.unread),
    ] {
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    let registered = plane.metrics.expose();
    let mut out = registered.trim_end().trim_end_matches("# EOF").to_owned();
    let setup = plane.setup();
    let mut seen = Vec::new();
    for origin in setup.apps.iter().flat_map(|app| &app.origins) {
        if seen.contains(&&origin.upstream_name) {
            continue;
        }
        seen.push(&origin.upstream_name);
        let snapshot = origin.upstream.snapshot();
        for (name, value) in snapshot.named() {
            // Writing into a String cannot fail.
            let _ = writeln!(
                out,
                "locum_upstream_{name}{{upstream=\"{}\"}} {value}",
                origin.upstream_name
            );
        }
    }
    for (name, value) in plane.journal.counters().named() {
        let _ = writeln!(out, "locum_journal_{name} {value}");
    }
    for (name, value) in plane.recorder.counters().named() {
        let _ = writeln!(out, "locum_recording_{name} {value}");
    }
    for (name, value) in plane.journal.log().named() {
        let _ = writeln!(out, "locum_log_{name} {value}");
    }
    for (sink, counters) in plane.journal.sinks() {
        for (name, value) in counters.named() {
            let _ = writeln!(out, "locum_sink_{name}{{sink=\"{sink}\"}} {value}");
        }
    }
    for (name, value) in parts.index.iter().flat_map(|it| it.named()) {
        let _ = writeln!(out, "locum_index_{name} {value}");
    }
    out.push_str("# EOF\n");
    out
}
