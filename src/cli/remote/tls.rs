//! Whom the command line believes to be the portal.

use crate::cli::Failure;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::path::Path;
use std::sync::Arc;

/// `ca`: the only authorities that count; `None`: the system's.
pub(super) fn config(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.map_err(|why| Failure::cannot("no TLS can be spoken", "").because(why))?;
    let roots = match ca {
        Some(path) => named(path)?,
        None => system(),
    };
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn named(path: &Path) -> Result<RootCertStore, Failure> {
    let unusable = |why: String| {
        let message = format!("{} cannot be used as a CA: {why}", path.display());
        Failure::cannot(message, "--ca names a PEM file with the CA's certificates")
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|why| unusable(why.to_string()))?;
    for one in found {
        let one = one.map_err(|why| unusable(why.to_string()))?;
        roots.add(one).map_err(|why| unusable(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it has no certificate".to_owned()));
    }
    Ok(roots)
}

/// A portal on plain loopback needs none: what is missing is said when https is tried.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
