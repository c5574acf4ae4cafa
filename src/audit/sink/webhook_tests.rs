//! A receiver of batches over HTTP and HTTPS, and what the webhook sink makes of its answers.

use super::*;
use crate::audit::sink::settings::Secret;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(in crate::audit::sink) struct Arrived {
    headers: HeaderMap,
    path: String,
    body: String,
}

#[derive(Default)]
struct Inbox {
    arrived: Mutex<Vec<Arrived>>,
    /// Answers to give before 204s, in order.
    answers: Mutex<Vec<StatusCode>>,
    connections: Mutex<usize>,
}

/// A receiver on a thread of its own.
pub(in crate::audit::sink) struct Receiver {
    address: SocketAddr,
    inbox: Arc<Inbox>,
}

impl Receiver {
    pub(in crate::audit::sink) fn start() -> Self {
        Self::serve(None)
    }

    fn serve(tls: Option<TlsAcceptor>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let (send, receive) = std::sync::mpsc::channel();
        let shared = Arc::clone(&inbox);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("runtime").block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("bind");
                send.send(listener.local_addr().expect("address"))
                    .expect("send");
                while let Ok((stream, _)) = listener.accept().await {
                    *shared.connections.lock() += 1;
                    tokio::spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
                }
            });
        });
        Self {
            address: receive.recv().expect("address"),
            inbox,
        }
    }

    pub(in crate::audit::sink) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// Where services live that have a path of their own.
    pub(in crate::audit::sink) fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(in crate::audit::sink) fn records(&self) -> Vec<u64> {
        let mut all = Vec::new();
        for arrived in self.inbox.arrived.lock().iter() {
            let sequence = |record: &serde_json::Value| record["seq"].as_u64().expect("seq");
            if arrived.path.starts_with("/services/collector/") {
                let events = arrived.body.lines();
                let events = events.map(|l| serde_json::from_str(l).expect("event"));
                let events: Vec<serde_json::Value> = events.collect();
                assert!(
                    events
                        .iter()
                        .all(|it| it["index"] == "audit" && it["fields"]["uid"].is_string())
                );
                all.extend(events.iter().map(|it| sequence(&it["event"])));
            } else if arrived.path.contains("/_bulk") {
                let lines = arrived.body.lines();
                let lines = lines.map(|l| serde_json::from_str(l).expect("JSON"));
                let lines: Vec<serde_json::Value> = lines.collect();
                for pair in lines.chunks(2) {
                    assert_eq!(pair[0]["create"]["_id"], pair[1]["metadata"]["uid"]);
                    all.push(sequence(&pair[1]));
                }
            } else if arrived.body.starts_with('[') {
                let batch: Vec<serde_json::Value> =
                    serde_json::from_str(&arrived.body).expect("array");
                all.extend(batch.iter().map(sequence));
            } else {
                let lines = arrived
                    .body
                    .lines()
                    .map(|l| serde_json::from_str(l).expect("record"));
                all.extend(lines.map(|record| sequence(&record)));
            }
        }
        all
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, inbox: Arc<Inbox>) {
    let service = service_fn(move |request: Request<Incoming>| answer(request, Arc::clone(&inbox)));
    let server = hyper::server::conn::http1::Builder::new();
    let _ = match tls {
        None => server.serve_connection(TokioIo::new(stream), service).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => Ok(()),
        },
    };
}

async fn answer(
    request: Request<Incoming>,
    inbox: Arc<Inbox>,
) -> hyper::Result<http::Response<String>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let status = {
        let mut answers = inbox.answers.lock();
        if answers.is_empty() && head.uri.path() != "/in" {
            StatusCode::OK
        } else if answers.is_empty() {
            StatusCode::NO_CONTENT
        } else {
            answers.remove(0)
        }
    };
    let path = head.uri.to_string();
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let said = said(&path, &body);
    if !path.ends_with("/collector/ack") {
        inbox.arrived.lock().push(Arrived {
            headers: head.headers,
            path,
            body,
        });
    }
    let mut response = http::Response::new(said);
    *response.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("7"));
    }
    Ok(response)
}

/// What a service says of a body that it takes.
fn said(path: &str, body: &str) -> String {
    if path.ends_with("/collector/ack") {
        let asked: serde_json::Value = serde_json::from_str(body).expect("JSON");
        return serde_json::json!({ "acks": { asked["acks"][0].to_string(): true } }).to_string();
    }
    if path.contains("/_bulk") {
        let items = body.lines().count() / 2;
        let item = serde_json::json!({ "create": { "status": 201 } });
        return serde_json::json!({ "errors": true, "items": vec![item; items] }).to_string();
    }
    r#"{"text":"Success","code":0,"ackId":7}"#.to_owned()
}

fn batch() -> Vec<Record> {
    (3..6)
        .map(|seq| Record {
            seq,
            line: format!("{{\"seq\":{seq},\"hash\":\"{}\"}}", "ab".repeat(32)).into_bytes(),
        })
        .collect()
}

fn deliver(sink: &mut WebhookSink, times: usize) -> Vec<Result<(), DeliveryError>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("runtime").block_on(async {
        let mut results = Vec::new();
        for _ in 0..times {
            results.push(sink.deliver(&batch()).await);
        }
        results
    })
}

#[test]
fn a_batch_carries_headers_and_the_same_key_each_time_over_one_connection() {
    let receiver = Receiver::start();
    let mut settings = WebhookSettings::new(format!("{}?source=locum", receiver.url()));
    let header = ("Authorization".into(), Secret::new("Bearer hunter2"));
    settings.http.headers.push(header);
    let mut sink = WebhookSink::new("siem", &settings).expect("settings");
    assert!(deliver(&mut sink, 2).iter().all(Result::is_ok));
    assert!(!format!("{sink:?}").contains("hunter2"));
    let arrived = receiver.inbox.arrived.lock().clone();
    assert_eq!(arrived[0].path, "/in?source=locum");
    assert_eq!(arrived[0].headers["authorization"], "Bearer hunter2");
    assert_eq!(arrived[0].headers["content-type"], "application/x-ndjson");
    assert_eq!(
        arrived[0].headers["idempotency-key"],
        "\"siem-3-5-abababababababab\""
    );
    assert_eq!(
        arrived[0].headers["idempotency-key"],
        arrived[1].headers["idempotency-key"]
    );
    assert_eq!(receiver.records(), [3, 4, 5, 3, 4, 5]);
    assert_eq!(*receiver.inbox.connections.lock(), 1);
}

#[test]
fn answers_mean_taken_later_or_never() {
    let receiver = Receiver::start();
    let mut sink =
        WebhookSink::new("siem", &WebhookSettings::new(receiver.url())).expect("settings");
    *receiver.inbox.answers.lock() = [503, 429, 401, 400, 413, 200]
        .map(|code| StatusCode::from_u16(code).expect("status"))
        .to_vec();
    let results = deliver(&mut sink, 6);
    let after = |seconds| Some(Duration::from_secs(seconds));
    assert!(matches!(
        &results[0],
        Err(DeliveryError::Later { after: None, .. })
    ));
    assert!(matches!(&results[1], Err(DeliveryError::Later { after: a, .. }) if *a == after(7)));
    assert!(
        matches!(&results[2], Err(DeliveryError::Later { .. })),
        "a wrong token can be put right"
    );
    assert!(matches!(&results[3], Err(DeliveryError::Never { .. })));
    assert!(matches!(&results[4], Err(DeliveryError::Never { .. })));
    assert!(results[5].is_ok());
}

#[test]
fn https_trusts_its_own_authority_and_no_other() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("certificate");
    let dir = tempfile::tempdir().expect("dir");
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, key.cert.pem()).expect("write");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .expect("certificate");
    let receiver = Receiver::serve(Some(TlsAcceptor::from(Arc::new(config))));
    let url = format!("https://localhost:{}/in", receiver.address.port());

    let mut trusting = WebhookSettings::new(&url);
    trusting.http.tls.ca = Some(ca);
    let mut sink = WebhookSink::new("siem", &trusting).expect("settings");
    assert!(deliver(&mut sink, 1)[0].is_ok());
    if let Ok(mut sink) = WebhookSink::new("siem", &WebhookSettings::new(&url)) {
        assert!(matches!(
            deliver(&mut sink, 1)[0],
            Err(DeliveryError::Later { .. })
        ));
    }
    assert_eq!(receiver.records(), [3, 4, 5]);
}

#[test]
fn a_receiver_that_never_answers_is_given_up_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/", listener.local_addr().expect("address"));
    let mut settings = WebhookSettings::new(url);
    settings.http.timeout = Duration::from_millis(50);
    let mut sink = WebhookSink::new("siem", &settings).expect("settings");
    let result = &deliver(&mut sink, 1)[0];
    assert!(
        result
            .as_ref()
            .is_err_and(|e| e.to_string().contains("no answer in time"))
    );
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    for url in [
        "siem.example",
        "ftp://siem.example/",
        "https://u:p@siem.example/",
    ] {
        assert!(
            WebhookSink::new("siem", &WebhookSettings::new(url)).is_err(),
            "{url}"
        );
    }
}
