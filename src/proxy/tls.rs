//! TLS towards clients: certificates chosen by SNI, ALPN, optional client certificates.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is asked of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    #[default]
    Off,
    /// Verified where one is presented.
    Optional,
    /// No certificate, no connection.
    Required,
}

/// One certificate chain and its key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first serves clients that name no host or an unknown one.
    pub pairs: Vec<Pair>,
    pub client_ca: Option<PathBuf>,
    pub client_auth: ClientAuth,
    /// Refuse TLS 1.2.
    pub only_tls13: bool,
}

/// Why the certificates cannot be used. Always the operator of Locum's to mend.
#[derive(Debug)]
pub enum TlsError {
    File { path: PathBuf, why: String },
    Unusable { what: &'static str, why: String },
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, why } => {
                write!(
                    f,
                    "{}: {why}; make development certificates with `locum certs dev`, or name the right file",
                    path.display()
                )
            }
            Self::Unusable { what, why } => write!(f, "{what}: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Reads the files and builds what a listener serves with.
pub fn server_config(settings: &Settings) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = if settings.only_tls13 {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    };
    let unusable = |what: &'static str| {
        move |e: rustls::Error| TlsError::Unusable {
            what,
            why: e.to_string(),
        }
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(unusable("TLS versions"))?;
    let builder = match (settings.client_auth, &settings.client_ca) {
        (ClientAuth::Off, _) => builder.with_no_client_auth(),
        (_, None) => {
            return Err(TlsError::Unusable {
                what: "client certificates",
                why: "no client_ca is configured".into(),
            });
        }
        (auth, Some(ca)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots(ca)?),
                Arc::clone(&provider),
            );
            let verifier = if auth == ClientAuth::Optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let built = verifier.build().map_err(|e| TlsError::Unusable {
                what: "client_ca",
                why: e.to_string(),
            })?;
            builder.with_client_cert_verifier(built)
        }
    };
    let keys = settings
        .pairs
        .iter()
        .map(|pair| certified(pair, &provider))
        .collect::<Result<Vec<_>, _>>()?;
    let mut config = builder.with_cert_resolver(Arc::new(BySni { keys }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer =
        rustls::crypto::aws_lc_rs::Ticketer::new().map_err(unusable("session tickets"))?;
    Ok(Arc::new(config))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for cert in certificates(path)? {
        store.add(cert).map_err(|e| TlsError::File {
            path: path.into(),
            why: e.to_string(),
        })?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |why: String| TlsError::File {
        path: path.into(),
        why,
    };
    let read = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
    let chain = read
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| failed(e.to_string()))?;
    if chain.is_empty() {
        Err(failed("holds no PEM certificate".into()))
    } else {
        Ok(chain)
    }
}

fn certified(
    pair: &Pair,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&pair.cert)?;
    let failed = |why: String| TlsError::File {
        path: pair.key.clone(),
        why,
    };
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|e| failed(e.to_string()))?;
    let made = CertifiedKey::from_der(chain, key, provider).map_err(|e| failed(e.to_string()))?;
    Ok(Arc::new(made))
}

/// The first certificate that is good for the name asked for, else the first of all.
#[derive(Debug)]
struct BySni {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let fits = |key: &&Arc<CertifiedKey>| named.as_ref().is_some_and(|name| is_for(key, name));
        // One certificate is the common case and needs no parsing.
        let found = if self.keys.len() > 1 {
            self.keys.iter().find(fits)
        } else {
            None
        };
        found.or(self.keys.first()).map(Arc::clone)
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let leaf = key
        .end_entity_cert()
        .ok()
        .and_then(|der| ParsedCertificate::try_from(der).ok());
    leaf.is_some_and(|leaf| rustls::client::verify_server_name(&leaf, name).is_ok())
}
