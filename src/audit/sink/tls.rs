//! TLS to a sink: whom to trust, and who to be.

use super::settings::TlsSettings;
use crate::audit::error::StartError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Where systems keep the authorities they trust.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// # Errors
/// Where a file cannot be read or has not in it what it should.
pub(super) fn connector(name: &str, settings: &TlsSettings) -> Result<TlsConnector, StartError> {
    Ok(TlsConnector::from(Arc::new(config(name, settings)?)))
}

/// The same, for clients that bring their own connector.
pub(super) fn config(name: &str, settings: &TlsSettings) -> Result<ClientConfig, StartError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(name, &e))?
        .with_root_certificates(roots(name, settings.ca.as_deref())?);
    let Some((certificate, key)) = &settings.client else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(|e| wrong(name, &format!("{}: {e}", certificate.display())))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private = private.map_err(|e| wrong(name, &format!("{}: {e}", key.display())))?;
    let config = builder.with_client_auth_cert(chain, private);
    config.map_err(|e| wrong(name, &e))
}

/// The PEM text of whom to trust.
pub(super) fn roots_pem(name: &str, ca: Option<&Path>) -> Result<Vec<u8>, StartError> {
    let path: PathBuf = match ca {
        Some(path) => path.into(),
        None => SYSTEM_ROOTS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or_else(|| wrong(name, &"this system has no list of authorities: set ca"))?,
    };
    read(&path)
}

fn roots(name: &str, ca: Option<&Path>) -> Result<RootCertStore, StartError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&roots_pem(name, ca)?).flatten() {
        // System lists hold a few certificates that rustls does not read; the others count.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        let whose = ca.map_or_else(|| "the system's list".into(), |ca| ca.display().to_string());
        return Err(wrong(name, &format!("no certificate authority in {whose}")));
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(StartError::io(path, "read"))
}

fn wrong(name: &str, what: &dyn std::fmt::Display) -> StartError {
    StartError::Setting {
        what: format!("sink {name}: {what}"),
    }
}
