//! Batches by HTTP POST, over one kept connection.

use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use crate::audit::settings::{WebhookFormat, WebhookSettings};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How much of an answer is read before the connection is given up. Bytes.
const ANSWER: usize = 64 << 10;
/// Where systems keep the authorities they trust.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

pub(super) struct WebhookSink {
    name: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    target: String,
    headers: HeaderMap,
    format: WebhookFormat,
    timeout: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl WebhookSink {
    pub(super) fn new(name: &str, settings: &WebhookSettings) -> Result<Self, StartError> {
        let wrong = |what: &str| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        let url = url::Url::parse(&settings.url).map_err(|e| wrong(&format!("url: {e}")))?;
        let host = url.host_str().ok_or_else(|| wrong("url has no host"))?;
        let tls = match url.scheme() {
            "https" => {
                let bare = host.trim_matches(['[', ']']).to_owned();
                let server =
                    ServerName::try_from(bare).map_err(|_| wrong("url: not a server's name"))?;
                Some((connector(name, settings.ca.as_deref())?, server))
            }
            "http" => None,
            _ => return Err(wrong("url must begin with https:// or http://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials belong into headers, not into the url"));
        }
        let port = url
            .port_or_known_default()
            .ok_or_else(|| wrong("url has no port"))?;
        let authority = url
            .port()
            .map_or_else(|| host.to_owned(), |p| format!("{host}:{p}"));
        let mut headers = HeaderMap::new();
        headers.insert(
            HOST,
            HeaderValue::from_str(&authority).map_err(|_| wrong("url: not a host"))?,
        );
        let kind = match settings.format {
            WebhookFormat::Ndjson => "application/x-ndjson",
            WebhookFormat::Array => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        for (key, value) in &settings.headers {
            let (Ok(key), Ok(mut value)) = (
                HeaderName::from_bytes(key.as_bytes()),
                HeaderValue::from_str(value.reveal()),
            ) else {
                return Err(wrong(
                    "a header has a name or value that HTTP does not allow",
                ));
            };
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let query = url.query().map_or_else(String::new, |q| format!("?{q}"));
        Ok(Self {
            name: name.into(),
            host: host.trim_matches(['[', ']']).into(),
            port,
            tls,
            target: format!("{}{query}", url.path()),
            headers,
            format: settings.format,
            timeout: settings.timeout,
            connection: None,
        })
    }

    async fn post(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let limit = self.timeout;
        let sent = tokio::time::timeout(limit, self.exchange(batch)).await;
        let result = sent.unwrap_or_else(|_| Err(DeliveryError::later("no answer in time")));
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn exchange(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let request = self.request(batch)?;
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && connection.ready().await.is_err()
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection
            .send_request(request)
            .await
            .map_err(DeliveryError::later)?;
        let (head, body) = answer.into_parts();
        // The answer is read only so that the connection can be used again.
        if Limited::new(body, ANSWER).collect().await.is_ok() {
            self.connection = Some(connection);
        }
        judge(head.status, &head.headers)
    }

    fn request(&self, batch: &[Record]) -> Result<Request<Full<Bytes>>, DeliveryError> {
        let body = Bytes::from(body(self.format, batch));
        let key = format!("\"{}-{}\"", self.name, batch_id(batch));
        let mut request = Request::post(self.target.as_str())
            .header("idempotency-key", key)
            .body(Full::new(body))
            .map_err(DeliveryError::later)?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, DeliveryError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(DeliveryError::later)?;
        match &self.tls {
            None => handshake(TokioIo::new(tcp)).await,
            Some((tls, server)) => {
                let stream = tls.connect(server.clone(), tcp).await;
                handshake(TokioIo::new(stream.map_err(DeliveryError::later)?)).await
            }
        }
    }
}

async fn handshake<I>(io: I) -> Result<SendRequest<Full<Bytes>>, DeliveryError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (send, connection) = http1::handshake(io).await.map_err(DeliveryError::later)?;
    // It ends with the connection; its errors come out at `send`.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(send)
}

/// What an answer means: taken, never, or later.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), DeliveryError> {
    match status {
        status if status.is_success() => Ok(()),
        // The receiver read the records and will not have them. All else may be put right at the receiver.
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(DeliveryError::Never {
            detail: format!("the receiver answered {status}"),
        }),
        status => Err(DeliveryError::Later {
            source: format!("the receiver answered {status}").into(),
            after: headers
                .get(RETRY_AFTER)
                .and_then(|v| v.to_str().ok()?.parse().ok())
                .map(Duration::from_secs),
        }),
    }
}

fn body(format: WebhookFormat, batch: &[Record]) -> Vec<u8> {
    let lines = batch.iter().map(|r| r.line.as_slice());
    match format {
        WebhookFormat::Ndjson => lines
            .flat_map(|line| [line, b"\n"])
            .flatten()
            .copied()
            .collect(),
        WebhookFormat::Array => {
            let mut out = b"[".to_vec();
            for (at, line) in lines.enumerate() {
                out.extend_from_slice(if at > 0 { b",\n" } else { b"" });
                out.extend_from_slice(line);
            }
            out.push(b']');
            out
        }
    }
}

/// The same for the same records: first and last sequence number, and the end of the last one's hash.
fn batch_id(batch: &[Record]) -> String {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
        return String::new();
    };
    let hash = last.line.len().saturating_sub(18)..last.line.len().saturating_sub(2);
    let hash = String::from_utf8_lossy(last.line.get(hash).unwrap_or_default());
    format!("{}-{}-{hash}", first.seq, last.seq)
}

fn connector(name: &str, ca: Option<&Path>) -> Result<TlsConnector, StartError> {
    let wrong = |what: String| StartError::Setting {
        what: format!("sink {name}: {what}"),
    };
    let path: PathBuf = match ca {
        Some(path) => path.into(),
        None => SYSTEM_ROOTS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or_else(|| wrong("this system has no list of authorities: set ca".into()))?,
    };
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(&path).map_err(StartError::io(&path, "read"))?;
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        // System lists hold a few certificates that rustls does not read; the others count.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(wrong(format!(
            "no certificate authority in {}",
            path.display()
        )));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Sink for WebhookSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.post(batch))
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
pub(super) mod tests;
