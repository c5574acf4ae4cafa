//! What the app sees of identity: assertions verified by another library from the published keys, headers,
//! credentials, minted sessions on real sockets.

use super::*;
use crate::model::{GrantId, Operator, Subject, Tenant};

/// A grant like any other.
pub(super) fn grant() -> Grant {
    let now = Timestamp::now();
    Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ann@example.com".into(),
            name: Some("Ann".into()),
            kind: crate::model::OperatorKind::Human,
        },
        subject: Subject {
            id: "u-17".into(),
            name: None,
        },
        tenant: Tenant {
            id: "acme".into(),
            name: None,
        },
        scopes: vec![
            "orders".parse().expect("scope"),
            "view".parse().expect("scope"),
        ],
        ticket: "T-1".into(),
        reason: "a question".into(),
        approvals: Vec::new(),
        break_glass: false,
        not_before: now,
        expires_at: now.plus(Duration::from_secs(3600)),
        issued_at: now,
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    }
}

use crate::proxy::upstream::{Address, Settings as UpstreamSettings, Upstream};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use std::sync::atomic::{AtomicI64, AtomicUsize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn ring(algorithm: Algorithm) -> Arc<KeyRing> {
    let dir = tempfile::tempdir().expect("dir");
    Arc::new(KeyRing::load_or_generate(dir.path(), algorithm).expect("ring"))
}

fn assertion() -> Assertion {
    Assertion {
        issuer: "https://locum.example".into(),
        audience: "shop".into(),
        ..Assertion::default()
    }
}

fn identity(keys: &Arc<KeyRing>, change: impl FnOnce(&mut Settings)) -> Identity {
    let mut settings = Settings {
        upstream: "shop".into(),
        assertion: Some(assertion()),
        ..Settings::default()
    };
    change(&mut settings);
    Identity::new(settings, Some(Arc::clone(keys))).expect("identity")
}

fn applied(identity: &Identity, grant: &Grant, cache: &IdentityCache) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let live = Live {
        session: SessionId::fresh(),
        grant,
        cache,
    };
    identity.apply(live, &mut headers).expect("applied");
    headers
}

/// Checks a token as an app would: by the published key set, with another library.
fn verify(jwks: &[u8], token: &str) -> serde_json::Value {
    let set: JwkSet = serde_json::from_slice(jwks).expect("a key set");
    let header = decode_header(token).expect("a header");
    assert_eq!(header.typ.as_deref(), Some("locum-assertion+jwt"));
    let key = set
        .find(&header.kid.expect("kid"))
        .expect("a published key");
    let mut rules = Validation::new(header.alg);
    rules.set_audience(&["shop"]);
    rules.set_issuer(&["https://locum.example"]);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    rules.validate_nbf = true;
    rules.leeway = 0;
    let key = DecodingKey::from_jwk(key).expect("a usable key");
    decode::<serde_json::Value>(token, &key, &rules)
        .expect("a valid token")
        .claims
}

#[test]
fn an_app_can_verify_the_assertion_with_the_published_keys() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let keys = ring(algorithm);
        let (grant, cache) = (grant(), IdentityCache::new());
        let headers = applied(&identity(&keys, |_| {}), &grant, &cache);
        let value = headers.get(ASSERTION_HEADER).expect("the header");
        let claims = verify(&keys.jwks(), value.to_str().expect("ASCII"));
        assert_eq!(claims["sub"], "u-17");
        let act = serde_json::json!({ "sub": "ann@example.com", "kind": "human", "name": "Ann" });
        assert_eq!(claims["act"], act);
        assert_eq!(claims["tenant"], "acme");
        assert_eq!(claims["scope"], "orders view");
        assert_eq!(claims["ticket"], "T-1");
        assert_eq!(claims["grant"], grant.id.to_string());
        let int = |name: &str| claims[name].as_i64().expect("a number");
        assert_eq!((int("exp") - int("iat"), int("iat") - int("nbf")), (60, 5));
        assert!(!format!("{headers:?}").contains("ey"), "the token is shown");
    }
}

#[test]
fn a_forged_or_foreign_signature_does_not_verify() {
    let (keys, other) = (ring(Algorithm::Es256), ring(Algorithm::Es256));
    let headers = applied(&identity(&keys, |_| {}), &grant(), &IdentityCache::new());
    let token = headers
        .get(ASSERTION_HEADER)
        .and_then(|v| v.to_str().ok())
        .expect("token");
    let set: JwkSet = serde_json::from_slice(&other.jwks()).expect("set");
    let key = DecodingKey::from_jwk(set.keys.first().expect("a key")).expect("key");
    let mut rules = Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&["shop"]);
    assert!(decode::<serde_json::Value>(token, &key, &rules).is_err());
}

#[test]
fn it_signs_anew_after_half_its_life_and_never_beyond_the_grant() {
    let keys = ring(Algorithm::EdDsa);
    let mut grant = grant();
    let start = grant.not_before.millis();
    let time = Arc::new(AtomicI64::new(start));
    let identity = identity(&keys, |s| s.clock = Clock::Fixed(Arc::clone(&time)));
    let cache = IdentityCache::new();
    let at = |seconds: i64, grant: &Grant| {
        time.store(start + seconds * 1000, Ordering::Relaxed);
        applied(&identity, grant, &cache)
            .remove(ASSERTION_HEADER)
            .expect("token")
    };
    let first = at(0, &grant);
    assert_eq!(at(29, &grant), first);
    assert_ne!(at(30, &grant), first);
    // A fresh cache, and a grant that ends before the assertion would.
    time.store(start, Ordering::Relaxed);
    let cache = IdentityCache::new();
    grant.expires_at = Timestamp::from_millis(start + 40_000);
    let live = Live {
        session: SessionId::fresh(),
        grant: &grant,
        cache: &cache,
    };
    let mut headers = HeaderMap::new();
    identity.apply(live, &mut headers).expect("applied");
    let token = headers
        .get(ASSERTION_HEADER)
        .and_then(|v| v.to_str().ok())
        .expect("token");
    let claims = verify(&keys.jwks(), token);
    assert_eq!(claims["exp"].as_i64(), Some((start + 40_000) / 1000));
    time.store(start + 41_000, Ordering::Relaxed);
    let over = identity.apply(live, &mut headers);
    assert!(matches!(over, Err(IdentityError::Expired)), "{over:?}");
}

#[test]
fn modes_combine_and_replace_what_the_client_sent() {
    let dir = tempfile::tempdir().expect("dir");
    let secret = dir.path().join("password");
    std::fs::write(&secret, "open sesame\n").expect("write");
    let keys = ring(Algorithm::Es256);
    let identity = identity(&keys, |s| {
        s.assertion = None;
        s.headers = vec![
            ("X-Remote-User".into(), "{subject.id}".into()),
            ("X-Nickname".into(), "{subject.name}".into()),
        ];
        s.credential = Some(Credential::Basic {
            user: "locum".into(),
            password: SecretSource::File(secret),
        });
    });
    let (grant, cache) = (grant(), IdentityCache::new());
    let mut headers = HeaderMap::new();
    for name in ["x-remote-user", "locum-assertion", "authorization"] {
        headers.append(name, HeaderValue::from_static("root"));
        headers.append(name, HeaderValue::from_static("admin"));
    }
    let live = Live {
        session: SessionId::fresh(),
        grant: &grant,
        cache: &cache,
    };
    identity.apply(live, &mut headers).expect("applied");
    assert_eq!(
        headers.get_all("x-remote-user").iter().collect::<Vec<_>>(),
        ["u-17"]
    );
    assert!(!headers.contains_key("locum-assertion") && !headers.contains_key("x-nickname"));
    let basic = headers.get("authorization").expect("basic");
    assert_eq!(basic, "Basic bG9jdW06b3BlbiBzZXNhbWU=");
    assert!(!format!("{headers:?} {identity:?}").contains("bG9j"));
    let strip: Vec<_> = identity
        .strip_list()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        strip,
        [
            "locum-assertion",
            "x-remote-user",
            "x-nickname",
            "authorization"
        ]
    );
}

/// Checks that these settings are refused with a word that helps.
fn refused(settings: Settings, keys: Option<Arc<KeyRing>>, word: &str) {
    let error = Identity::new(settings, keys).expect_err(word);
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let said = format!("{error} {}", cause.unwrap_or_default());
    assert!(said.contains(word), "{said}");
}

#[test]
fn signing_settings_that_do_not_fit_are_refused() {
    let keys = ring(Algorithm::Es256);
    let check = refused;
    let signed = Settings {
        assertion: Some(assertion()),
        ..Settings::default()
    };
    check(signed.clone(), None, "keys");
    let unnamed = Assertion {
        audience: String::new(),
        ..assertion()
    };
    check(
        Settings {
            assertion: Some(unnamed),
            ..Settings::default()
        },
        Some(Arc::clone(&keys)),
        "audience",
    );
    let mint = Mint {
        path: "/mint".into(),
        ..Mint::default()
    };
    check(
        Settings {
            mint: Some(mint),
            ..Settings::default()
        },
        None,
        "assertion",
    );
    let relative = Mint {
        path: "mint".into(),
        ..Mint::default()
    };
    check(
        Settings {
            mint: Some(relative),
            ..signed
        },
        Some(keys),
        "path",
    );
}

#[test]
fn headers_and_secrets_that_cannot_be_are_refused() {
    let check = refused;
    let header = |name: &str, text: &str| Settings {
        headers: vec![(name.into(), text.into())],
        ..Settings::default()
    };
    check(header("Host", "{subject.id}"), None, "Host");
    check(header("x-user", "{user}"), None, "subject.id");
    let token = |token| Settings {
        credential: Some(Credential::Token {
            header: "Authorization".into(),
            prefix: "Bearer ".into(),
            token,
        }),
        ..Settings::default()
    };
    check(
        token(SecretSource::Env("LOCUM_NO_SUCH_VARIABLE".into())),
        None,
        "not set",
    );
    check(
        token(SecretSource::File("/nowhere/token".into())),
        None,
        "/nowhere/token",
    );
}

/// An app that mints: counts the calls and answers each with `answer`.
async fn minting_app(
    answer: &'static str,
) -> (Upstream, Arc<AtomicUsize>, Arc<parking_lot::Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let (calls, heard) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(parking_lot::Mutex::new(String::new())),
    );
    let (counter, ear) = (Arc::clone(&calls), Arc::clone(&heard));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buf = vec![0u8; 16384];
            let n = socket.read(&mut buf).await.unwrap_or(0);
            *ear.lock() = String::from_utf8_lossy(&buf[..n]).into_owned();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let settings = UpstreamSettings {
        name: "shop".into(),
        addresses: vec![Address::Tcp("127.0.0.1".into(), port)],
        ..UpstreamSettings::default()
    };
    (Upstream::new(settings).expect("upstream"), calls, heard)
}

const MINTED: &str = "HTTP/1.1 302 Found\r\nlocation: /\r\nset-cookie: sid=1; Path=/; HttpOnly\r\n\
    set-cookie: csrf=2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn minter(keys: &Arc<KeyRing>) -> Identity {
    identity(keys, |s| {
        s.assertion = Some(Assertion {
            on_requests: false,
            ..assertion()
        });
        s.mint = Some(Mint {
            path: "/sso/locum".into(),
            body: MintBody::Form("token".into()),
            pause: Duration::from_millis(100),
            ..Mint::default()
        });
    })
}

#[tokio::test]
async fn a_session_is_minted_once_for_all_who_wait() {
    let keys = ring(Algorithm::Es256);
    let identity = minter(&keys);
    let (app, calls, heard) = minting_app(MINTED).await;
    let (grant, cache, jar) = (
        grant(),
        IdentityCache::new(),
        parking_lot::Mutex::new(Vec::new()),
    );
    let host = HeaderValue::from_static("shop.example");
    let way = Way {
        upstream: &app,
        lane: 0,
        host: Some(&host),
    };
    let live = Live {
        session: SessionId::fresh(),
        grant: &grant,
        cache: &cache,
    };
    let keep = |lines: &[HeaderValue]| jar.lock().extend_from_slice(lines);
    let asked = (0..20).map(|_| identity.prepare(way, live, keep));
    for generation in futures_util::future::join_all(asked).await {
        assert_ne!(generation.expect("minted"), Generation::default());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(*jar.lock(), ["sid=1; Path=/; HttpOnly", "csrf=2"]);
    let heard = heard.lock().clone();
    assert!(heard.starts_with("POST /sso/locum HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("host: shop.example\r\n"), "{heard}");
    let token = heard.rsplit_once("\r\n\r\ntoken=").expect("a form").1;
    assert_eq!(verify(&keys.jwks(), token)["sub"], "u-17");
    // Requests themselves bear no assertion here.
    assert!(applied(&identity, &grant, &cache).is_empty());
}

#[tokio::test]
async fn a_401_renews_once_and_not_in_a_loop() {
    let identity = minter(&ring(Algorithm::Es256));
    let (app, calls, _) = minting_app(MINTED).await;
    let (grant, cache) = (grant(), IdentityCache::new());
    let way = Way {
        upstream: &app,
        lane: 0,
        host: None,
    };
    let live = Live {
        session: SessionId::fresh(),
        grant: &grant,
        cache: &cache,
    };
    let seen = identity.prepare(way, live, |_| ()).await.expect("minted");
    let both = tokio::join!(
        identity.renew(seen, way, live, |_| ()),
        identity.renew(seen, way, live, |_| ())
    );
    assert_eq!(
        (both.0.expect("one"), both.1.expect("two")),
        (Renewed::Yes, Renewed::Yes)
    );
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let now = identity.prepare(way, live, |_| ()).await.expect("minted");
    assert_ne!(now, seen);
    let again = identity
        .renew(now, way, live, |_| ())
        .await
        .expect("too soon");
    assert_eq!((again, calls.load(Ordering::SeqCst)), (Renewed::No, 2));
}

#[tokio::test]
async fn a_refusing_app_is_not_asked_by_every_request() {
    let answers = [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "403",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "no cookie",
        ),
    ];
    for (answer, word) in answers {
        let identity = minter(&ring(Algorithm::Es256));
        let (app, calls, _) = minting_app(answer).await;
        let (grant, cache) = (grant(), IdentityCache::new());
        let way = Way {
            upstream: &app,
            lane: 0,
            host: None,
        };
        let live = Live {
            session: SessionId::fresh(),
            grant: &grant,
            cache: &cache,
        };
        let error = identity
            .prepare(way, live, |_| ())
            .await
            .expect_err("refused");
        let cause = std::error::Error::source(&error)
            .expect("cause")
            .to_string();
        assert!(cause.contains(word), "{cause}");
        assert_eq!(error.status(), http::StatusCode::BAD_GATEWAY);
        let next = identity
            .prepare(way, live, |_| ())
            .await
            .expect_err("recently");
        assert_eq!(next.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(identity.prepare(way, live, |_| ()).await.is_err());
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn empty_settings_set_nothing() {
    let identity = Identity::new(Settings::default(), None).expect("none");
    let (grant, cache) = (grant(), IdentityCache::new());
    assert!(applied(&identity, &grant, &cache).is_empty());
    assert!(!identity.mints());
}
