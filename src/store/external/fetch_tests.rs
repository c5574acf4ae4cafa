//! Keys by URL against a server of the test's own, over plain HTTP on loopback and over TLS.

use super::forge::{Anything, Signer, claims, set};
use super::issuers::Trusted;
use super::refused::BearerRefused;
use super::settings::{Algorithm, Issuer, Jwks};
use super::token::Token;
use crate::store::conformance::{NOW, Outcome};
use jsonwebtoken::Algorithm as Wire;
use parking_lot::Mutex;
use rustls_pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What the server answers, and how often it was asked.
#[derive(Default)]
struct Served {
    answer: Mutex<String>,
    asked: AtomicUsize,
    hang: AtomicBool,
}

impl Served {
    fn with(body: &str) -> Arc<Self> {
        let served = Arc::new(Self::default());
        served.say("200 OK", body);
        served
    }

    fn say(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock() = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n{body}"
        );
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await? > 0 {}
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hang.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let answer = self.answer.lock().clone();
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

async fn serve(served: &Arc<Served>, tls: Option<tokio_rustls::TlsAcceptor>) -> Anything<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let served = Arc::clone(served);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => drop(served.answer(stream).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(served.answer(stream).await);
                    }
                }
            }
        }
    });
    Ok(port)
}

fn issuer(url: &str) -> Anything<Issuer> {
    let mut issuer = Issuer::new("https://issuer.example", "locum", Jwks::Url(url.parse()?));
    issuer.min_refresh = Duration::ZERO;
    issuer.fetch_timeout = Duration::from_secs(10);
    Ok(issuer)
}

fn trusted(issuer: Issuer) -> Anything<Trusted> {
    Ok(Trusted::new(issuer)?)
}

async fn known(trusted: &Trusted, kid: &str) -> &'static str {
    match trusted.key(Algorithm::Es256, Some(kid)).await {
        Ok(_) => "known",
        Err(refused) => refused.name(),
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_an_unknown_id() -> Outcome {
    let (one, two) = (
        Signer::new("k1", Wire::ES256)?,
        Signer::new("k2", Wire::ES256)?,
    );
    let served = Served::with(&set(&[&one])?);
    let port = serve(&served, None).await?;
    let trusted = trusted(issuer(&format!("http://127.0.0.1:{port}/keys?tenant=a"))?)?;
    assert_eq!(known(&trusted, "k1").await, "known");
    assert_eq!(known(&trusted, "k1").await, "known");
    assert_eq!(served.asked(), 1);
    let generation = trusted.generation();
    assert_eq!(known(&trusted, "k2").await, "token-key");
    assert_eq!(served.asked(), 2);
    assert_eq!(
        trusted.generation(),
        generation,
        "the same keys are no change"
    );
    served.say("200 OK", &set(&[&one, &two])?);
    assert_eq!(known(&trusted, "k2").await, "known");
    assert!(trusted.generation() > generation);
    let token = two.token(&claims(NOW.seconds(), "one"))?;
    let parsed = Token::parse(&token, 8192)?;
    assert_eq!(parsed.key_id()?, Some("k2"));
    Ok(())
}

#[tokio::test]
async fn an_issuer_is_not_asked_more_often_than_allowed() -> Outcome {
    let one = Signer::new("k1", Wire::ES256)?;
    let served = Served::with(&set(&[&one])?);
    let port = serve(&served, None).await?;
    let mut issuer = issuer(&format!("http://127.0.0.1:{port}/"))?;
    issuer.min_refresh = Duration::from_secs(3600);
    let trusted = trusted(issuer)?;
    for n in 0..20 {
        assert_eq!(known(&trusted, &format!("guess-{n}")).await, "token-key");
    }
    assert_eq!(served.asked(), 1);
    Ok(())
}

#[tokio::test]
async fn bad_answers_leave_the_last_good_keys_until_they_are_too_old() -> Outcome {
    let one = Signer::new("k1", Wire::ES256)?;
    let good = set(&[&one])?;
    let served = Served::with(&good);
    let port = serve(&served, None).await?;
    let mut issuer = issuer(&format!("http://127.0.0.1:{port}/"))?;
    issuer.refresh = Duration::ZERO;
    issuer.max_jwks_bytes = good.len();
    let trusted = self::trusted(issuer.clone())?;
    assert_eq!(known(&trusted, "k1").await, "known");
    let large = format!("{good} ");
    for (status, body) in [
        ("500 Oops", good.as_str()),
        ("302 Found", good.as_str()),
        ("200 OK", "no json"),
        ("200 OK", r#"{"keys":[]}"#),
        ("200 OK", large.as_str()),
    ] {
        served.say(status, body);
        let before = served.asked();
        assert_eq!(known(&trusted, "k1").await, "known", "{status} {body}");
        assert!(served.asked() > before);
        let fresh = self::trusted(issuer.clone())?;
        assert_eq!(known(&fresh, "k1").await, "issuer-keys", "{status} {body}");
    }
    issuer.max_stale = Duration::from_millis(1);
    let brief = self::trusted(issuer)?;
    served.say("200 OK", &good);
    brief.refresh(true).await;
    served.say("500 Oops", "");
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(known(&brief, "k1").await, "issuer-keys");
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_timeout_only() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut issuer = issuer(&format!("http://127.0.0.1:{port}/"))?;
    issuer.fetch_timeout = Duration::from_millis(50);
    issuer.min_refresh = Duration::from_secs(3600);
    assert_eq!(known(&trusted(issuer)?, "k1").await, "issuer-keys");
    drop(listener);
    Ok(())
}

#[tokio::test]
async fn a_slow_refresh_delays_nobody_who_has_keys() -> Outcome {
    let one = Signer::new("k1", Wire::ES256)?;
    let served = Served::with(&set(&[&one])?);
    let port = serve(&served, None).await?;
    let mut issuer = issuer(&format!("http://127.0.0.1:{port}/"))?;
    issuer.fetch_timeout = Duration::from_secs(60);
    issuer.refresh = Duration::ZERO;
    let trusted = trusted(issuer)?;
    assert_eq!(known(&trusted, "k1").await, "known");
    // From here on the server says nothing: the fetch hangs for a minute.
    served.hang.store(true, Ordering::Relaxed);
    let slow = trusted.refresh(true);
    let quick = async {
        while served.asked() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        known(&trusted, "k1").await
    };
    tokio::select! {
        () = slow => Err("the server answered".into()),
        found = quick => {
            assert_eq!(found, "known");
            Ok(())
        }
    }
}

#[tokio::test]
async fn tls_is_verified_against_the_configured_authorities() -> Outcome {
    let one = Signer::new("k1", Wire::ES256)?;
    let served = Served::with(&set(&[&one])?);
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let port = serve(&served, Some(Arc::new(config).into())).await?;
    let dir = tempfile::tempdir()?;
    let (right, wrong) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    std::fs::write(&right, made.cert.pem())?;
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(&wrong, other.cert.pem())?;
    for (ca, host, wanted) in [
        (&right, "localhost", "known"),
        (&wrong, "localhost", "issuer-keys"),
        (&right, "127.0.0.1", "issuer-keys"),
    ] {
        let mut issuer = issuer(&format!("https://{host}:{port}/keys"))?;
        issuer.ca = Some(ca.clone());
        assert_eq!(
            known(&trusted(issuer)?, "k1").await,
            wanted,
            "{host} {}",
            ca.display()
        );
    }
    let mut missing = issuer(&format!("https://localhost:{port}/keys"))?;
    missing.ca = Some(dir.path().join("none.pem"));
    assert!(Trusted::new(missing).is_err());
    Ok(())
}

/// Two keys that both fit are none, and secret keys in a public set are passed over.
#[tokio::test]
async fn ambiguous_and_secret_keys_are_not_used() -> Outcome {
    let (one, two) = (
        Signer::new("same", Wire::ES256)?,
        Signer::new("same", Wire::ES256)?,
    );
    let served = Served::with(&set(&[&one, &two])?);
    let port = serve(&served, None).await?;
    let trusted = trusted(issuer(&format!("http://127.0.0.1:{port}/"))?)?;
    assert_eq!(known(&trusted, "same").await, "token-key");
    let none = trusted.key(Algorithm::Es256, None).await;
    assert!(matches!(none, Err(BearerRefused::UnknownKey)));
    let mut leaked = one.jwk()?;
    leaked["d"] = "secret".into();
    let body = serde_json::json!({ "keys": [leaked, two.jwk()?] }).to_string();
    served.say("200 OK", &body);
    trusted.refresh(true).await;
    assert_eq!(known(&trusted, "same").await, "known");
    Ok(())
}
