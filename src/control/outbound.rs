//! Calls to receivers outside: verified TLS, no redirects, no proxy, no second try, and bounds on time and size. What comes
//! back is a whole answer or an error; half of one is never taken for a yes.

use http::HeaderMap;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How much of an answer is read. None of those that are waited for is longer. Bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A client for one receiver.
#[derive(Clone)]
pub(in crate::control) struct Outbound {
    client: reqwest::Client,
    timeout: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub(in crate::control) struct Answered {
    pub(in crate::control) status: u16,
    pub(in crate::control) body: Vec<u8>,
}

/// Why a client cannot be made.
#[derive(Debug)]
pub(in crate::control) enum OutboundError {
    /// The CA file.
    Ca {
        path: PathBuf,
        cause: Box<dyn Error + Send + Sync>,
    },
    Tls(Box<dyn Error + Send + Sync>),
}

/// Why there is no whole answer. None of these shows the URL, which may be a secret.
#[derive(Debug)]
pub enum CallError {
    Timeout(Duration),
    Connect(reqwest::Error),
    /// The connection ended before the answer did.
    BrokenOff(reqwest::Error),
    /// Longer than so many bytes.
    TooLong(usize),
}

impl Outbound {
    /// `ca`: the only authority that is trusted; `None`: the system's. `timeout`: from connecting to the last byte.
    pub(in crate::control) fn new(
        ca: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, OutboundError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(ca)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            // An old connection that died in silence would cost an alert its first try.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("locum/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutboundError::Tls(error.into()))?;
        Ok(Self { client, timeout })
    }

    pub(in crate::control) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answered, CallError> {
        let request = self.client.post(url.clone()).headers(headers).body(body);
        tokio::time::timeout(self.timeout, exchange(request))
            .await
            .unwrap_or(Err(CallError::Timeout(self.timeout)))
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Answered, CallError> {
    let failed = |error: reqwest::Error| CallError::Connect(error.without_url());
    let broken = |error: reqwest::Error| CallError::BrokenOff(error.without_url());
    let mut answer = request.send().await.map_err(|error| {
        if error.is_connect() {
            failed(error)
        } else {
            broken(error)
        }
    })?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(CallError::TooLong(MAX_ANSWER));
        }
    }
    Ok(Answered {
        status: answer.status().as_u16(),
        body,
    })
}

/// Verified TLS for HTTP/1.1. `ca`: the only authority that is trusted; `None`: the system's.
pub(in crate::control) fn tls(ca: Option<&Path>) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            // One odd certificate in the system's store must not take all others away.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let wrong = |cause: Box<dyn Error + Send + Sync>| OutboundError::Ca {
                path: path.to_owned(),
                cause,
            };
            let found = CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.into()))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| wrong(e.into()))?;
                roots.add(certificate).map_err(|e| wrong(e.into()))?;
            }
            if roots.is_empty() {
                return Err(wrong("it has no certificate".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Tls(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The last cause of an error, which says what really happened.
pub(in crate::control) fn root_cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({:?})", self.timeout)
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ca { path, cause } => {
                write!(f, "the CA in {} cannot be used: {cause}", path.display())
            }
            Self::Tls(cause) => write!(f, "TLS cannot be set up: {cause}"),
        }
    }
}

impl Error for OutboundError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ca { cause, .. } | Self::Tls(cause) => Some(&**cause),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "no whole answer within {} ms", limit.as_millis()),
            Self::Connect(error) => write!(f, "cannot connect: {}", root_cause(error)),
            Self::BrokenOff(error) => write!(f, "no whole answer: {}", root_cause(error)),
            Self::TooLong(most) => write!(f, "the answer is longer than {most} bytes"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) | Self::BrokenOff(error) => Some(error),
            Self::Timeout(_) | Self::TooLong(_) => None,
        }
    }
}
