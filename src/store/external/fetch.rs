//! A small GET for a JWK set: one connection, one answer, no redirects, bounded in size and time.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

/// Where the systems that we know keep the authorities they trust.
const SYSTEM_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Why nothing was fetched.
#[derive(Debug)]
pub(super) enum FetchError {
    Authorities(PathBuf, String),
    Host,
    Connect(std::io::Error),
    Http(hyper::Error),
    Status(u16),
    /// Too large, or broken off.
    Body(Box<dyn std::error::Error + Send + Sync>),
    Timeout,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities(path, why) => {
                write!(
                    f,
                    "no certificate authorities from {}: {why}",
                    path.display()
                )
            }
            Self::Host => f.write_str("the URL has no usable host"),
            Self::Connect(why) => write!(f, "cannot connect: {why}"),
            Self::Http(why) => write!(f, "not answered: {why}"),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Body(why) => write!(f, "the answer cannot be read: {why}"),
            Self::Timeout => f.write_str("took too long"),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(why) => Some(why),
            Self::Http(why) => Some(why),
            _ => None,
        }
    }
}

/// The TLS client for one issuer.
pub(super) fn client(ca: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, FetchError> {
    let path = match ca {
        Some(path) => path.to_owned(),
        None => SYSTEM_AUTHORITIES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .unwrap_or_default(),
    };
    let failed = |why: String| FetchError::Authorities(path.clone(), why);
    let mut roots = rustls::RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(&path).map_err(|e| failed(e.to_string()))?;
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(failed("it has no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Fetches `url`; `tls` is only needed for `https`.
pub(super) async fn get(
    url: &Url,
    tls: Option<&Arc<rustls::ClientConfig>>,
    max_bytes: usize,
    timeout: Duration,
) -> Result<Bytes, FetchError> {
    tokio::time::timeout(timeout, get_unbounded(url, tls, max_bytes))
        .await
        .map_err(|_| FetchError::Timeout)?
}

async fn get_unbounded(
    url: &Url,
    tls: Option<&Arc<rustls::ClientConfig>>,
    max_bytes: usize,
) -> Result<Bytes, FetchError> {
    let host = url.host_str().ok_or(FetchError::Host)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().ok_or(FetchError::Host)?;
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(FetchError::Connect)?;
    if url.scheme() != "https" {
        return ask(tcp, url, max_bytes).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Host)?;
    let tls = tls.ok_or(FetchError::Host)?;
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls))
        .connect(name, tcp)
        .await
        .map_err(FetchError::Connect)?;
    ask(stream, url, max_bytes).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Url,
    max_bytes: usize,
) -> Result<Bytes, FetchError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Http)?;
    let target = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    let authority = url.authority();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let request = http::Request::get(target)
        .header(http::header::HOST, host)
        .header(
            http::header::ACCEPT,
            "application/jwk-set+json, application/json",
        )
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Host)?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(FetchError::Http)?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), max_bytes);
        Ok(body.collect().await.map_err(FetchError::Body)?.to_bytes())
    };
    // The connection only moves while it is polled; it ends when the sender is dropped.
    let drive = async move {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::pin!(exchange, drive);
    tokio::select! {
        biased;
        out = &mut exchange => out,
        () = &mut drive => Err(FetchError::Timeout),
    }
}
