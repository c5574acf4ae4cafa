//! TLS towards the app: aws-lc-rs, verified always, ALPN, resumption, optional client certificate.

use super::settings::{Protocol, Roots, Tls};
use super::{BuildError, Cause};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// Two configurations that share everything but ALPN: an Upgrade needs HTTP/1.1.
#[derive(Clone, Debug)]
pub(super) struct Configs {
    pub(super) usual: Arc<ClientConfig>,
    pub(super) http1: Arc<ClientConfig>,
}

impl Configs {
    pub(super) fn new(name: &str, tls: &Tls, protocol: Protocol) -> Result<Self, BuildError> {
        let wrong = |cause: rustls::Error| BuildError::Tls {
            upstream: name.to_owned(),
            cause: cause.into(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots(name, &tls.roots)?);
        let mut base = match &tls.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(certificates(name, chain)?, private_key(name, key)?)
                .map_err(wrong)?,
        };
        base.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(base.clone());
        let usual = match protocol {
            Protocol::Http1 => Arc::clone(&http1),
            Protocol::Http2 => {
                base.alpn_protocols = vec![b"h2".to_vec()];
                Arc::new(base)
            }
            Protocol::Auto => {
                base.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                Arc::new(base)
            }
        };
        Ok(Self { usual, http1 })
    }
}

fn file_error(name: &str, path: &Path, cause: impl Into<Cause>) -> BuildError {
    BuildError::File {
        upstream: name.to_owned(),
        path: path.to_owned(),
        cause: cause.into(),
    }
}

fn roots(name: &str, roots: &Roots) -> Result<RootCertStore, BuildError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            for problem in &found.errors {
                tracing::warn!(upstream = name, error = %problem, "a system authority cannot be read");
            }
            // One odd certificate in the system's store must not take all others away.
            store.add_parsable_certificates(found.certs);
        }
        Roots::File(path) => {
            for certificate in certificates(name, path)? {
                store
                    .add(certificate)
                    .map_err(|cause| file_error(name, path, cause))?;
            }
        }
    }
    if store.is_empty() {
        return Err(BuildError::Tls {
            upstream: name.to_owned(),
            cause: "no certificate authority was found; give tls.roots a PEM file".into(),
        });
    }
    Ok(store)
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let list: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|cause| file_error(name, path, cause))?;
    if list.is_empty() {
        return Err(file_error(name, path, "there is no certificate in it"));
    }
    Ok(list)
}

fn private_key(name: &str, path: &Path) -> Result<PrivateKeyDer<'static>, BuildError> {
    PrivateKeyDer::from_pem_file(path).map_err(|cause| file_error(name, path, cause))
}
