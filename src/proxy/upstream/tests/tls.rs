//! TLS to the app: its own authority, a client certificate, ALPN, resumption, and what is refused.

use super::*;
use crate::proxy::upstream::{Protocol, Roots, Tls};
use http::Version;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;

/// An authority with its files, and a certificate for the app and one for us.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("certificate");
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).expect("write");
        Self {
            dir,
            issuer: Issuer::new(params, key),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `name.pem` and `name.key`.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        let certificate = params.signed_by(&key, &self.issuer).expect("certificate");
        let paths = (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        );
        std::fs::write(&paths.0, certificate.pem()).expect("write");
        std::fs::write(&paths.1, key.serialize_pem()).expect("write");
        paths
    }

    fn roots(&self) -> Roots {
        Roots::File(self.path("ca.pem"))
    }

    fn tls(&self) -> Tls {
        Tls {
            server_name: Some("app.test".into()),
            roots: self.roots(),
            client: None,
        }
    }
}

/// A TLS server by hyper that answers with the request's version, and `+cert` where the client showed one.
async fn secure(authority: &Authority, alpn: &[&str], wants_client: bool) -> (Address, Arc<Seen>) {
    let (chain, key) = authority.issue("app.test");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if wants_client {
        let mut roots = rustls::RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(authority.path("ca.pem")).expect("ca");
        roots.add(ca).expect("root");
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let chain = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .expect("chain");
    let key = PrivateKeyDer::from_pem_file(key).expect("key");
    let mut config = builder.with_single_cert(chain, key).expect("config");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    serve(move |_, socket, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(socket).await else {
                return;
            };
            let state = stream.get_ref().1;
            let http2 = state.alpn_protocol() == Some(b"h2");
            let shown = state.peer_certificates().is_some();
            let resumed = state.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                let version = match request.version() {
                    Version::HTTP_2 => "h2",
                    _ => "h1",
                };
                let said = format!(
                    "{version}{}{}",
                    if shown { "+cert" } else { "" },
                    if resumed { "+resumed" } else { "" }
                );
                async move {
                    Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(said)))
                }
            });
            let io = TokioIo::new(stream);
            let _ = if http2 {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, service)
                    .await
            } else {
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await
            };
        }
    })
    .await
}

#[tokio::test]
async fn an_own_authority_is_trusted_and_sessions_resume() {
    let authority = Authority::new();
    let (address, seen) = secure(&authority, &["http/1.1"], false).await;
    let app = upstream(vec![address], |s| {
        s.tls = Some(authority.tls());
        s.max_idle = 0;
    });
    assert_eq!(text(app.send(0, get("/")).await).await, "h1");
    settle().await;
    assert_eq!(text(app.send(0, get("/")).await).await, "h1+resumed");
    assert_eq!(seen.connections(), 2);
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let (address, _) = secure(&authority, &[], true).await;
    let pair = authority.issue("locum.test");
    let with = upstream(vec![address.clone()], |s| {
        s.tls = Some(Tls {
            client: Some(pair),
            ..authority.tls()
        });
    });
    assert_eq!(text(with.send(0, get("/")).await).await, "h1+cert");
    let without = upstream(vec![address], |s| s.tls = Some(authority.tls()));
    assert!(without.send(0, get("/")).await.is_err());
}

#[tokio::test]
async fn strangers_and_wrong_names_are_refused() {
    let authority = Authority::new();
    let (address, seen) = secure(&authority, &[], false).await;
    let stranger = Authority::new();
    let wrong = [
        stranger.tls(),
        Tls {
            server_name: Some("other.test".into()),
            ..authority.tls()
        },
        // The address's own host, which the certificate does not name.
        Tls {
            server_name: None,
            ..authority.tls()
        },
    ];
    for tls in wrong {
        let app = upstream(vec![address.clone()], |s| s.tls = Some(tls));
        let error = app.send(0, get("/")).await.expect_err("no trust");
        assert!(matches!(error, UpstreamError::Tls { .. }), "{error:?}");
        assert_eq!(error.status(), http::StatusCode::BAD_GATEWAY);
        assert_eq!(app.snapshot().failed_tls, 1);
    }
    assert_eq!(seen.requests(), 0);
}

#[tokio::test]
async fn alpn_decides_and_an_upgrade_stays_on_http1() {
    let authority = Authority::new();
    let (address, seen) = secure(&authority, &["h2", "http/1.1"], false).await;
    let app = upstream(vec![address], |s| {
        s.tls = Some(authority.tls());
        s.protocol = Protocol::Auto;
    });
    for _ in 0..3 {
        assert_eq!(text(app.send(0, get("/")).await).await, "h2");
    }
    assert_eq!(seen.connections(), 1);
    let mut asking = get("/");
    for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade")] {
        asking
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
    }
    assert_eq!(text(app.send(0, asking).await).await, "h1+resumed");
    assert_eq!(text(app.send(0, get("/")).await).await, "h2");
    assert_eq!(seen.connections(), 2);
}

#[tokio::test]
async fn http2_without_agreement_is_an_error() {
    let authority = Authority::new();
    let (address, _) = secure(&authority, &[], false).await;
    let app = upstream(vec![address], |s| {
        s.tls = Some(authority.tls());
        s.protocol = Protocol::Http2;
    });
    let error = app.send(0, get("/")).await.expect_err("no h2");
    assert!(matches!(error, UpstreamError::Tls { .. }), "{error:?}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let settings = |tls: Tls| Settings {
        name: "app".into(),
        addresses: vec![Address::Tcp("app.test".into(), 443)],
        tls: Some(tls),
        ..Settings::default()
    };
    let missing = Tls {
        roots: Roots::File("/nowhere/ca.pem".into()),
        ..Tls::default()
    };
    let error = Upstream::new(settings(missing))
        .expect_err("missing")
        .to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
    let (chain, _) = authority.issue("app.test");
    let swapped = Tls {
        client: Some((chain.clone(), chain)),
        ..authority.tls()
    };
    assert!(Upstream::new(settings(swapped)).is_err());
    let unnamed = Settings {
        addresses: vec![Address::Unix("/run/app.sock".into())],
        ..settings(Tls {
            server_name: None,
            ..authority.tls()
        })
    };
    let error = Upstream::new(unnamed).expect_err("no name").to_string();
    assert!(error.contains("server_name"), "{error}");
}
