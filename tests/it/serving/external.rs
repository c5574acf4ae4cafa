//! Grants that an outside issuer signed: as bearer, exchanged for a browser's session, revoked by `jti`.

use super::sessions::{is, refused};
use crate::support::locum::{Agent, Locum, Plan};
use crate::support::upstream::Upstream;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub(super) struct Issuer {
    key: EncodingKey,
}

impl Issuer {
    pub(super) fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { key }
    }

    fn jwks(&self) -> String {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k1".to_owned());
        json!({ "keys": [jwk] }).to_string()
    }

    pub(super) fn token(&self, jti: &str, change: impl FnOnce(&mut Value)) -> String {
        let now = locum::model::Timestamp::now().millis() / 1000;
        let mut claims = json!({
            "iss": "https://desk.example", "aud": "locum", "iat": now, "nbf": now, "exp": now + 300, "jti": jti,
            "sub": "kim", "act": { "sub": "ada@support.example" }, "tenant": "acme", "scope": "view",
            "ticket": "SUP-7", "reason": "test",
        });
        change(&mut claims);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::ES256);
        format!("{message}.{}", signature.unwrap())
    }
}

pub(super) async fn start(issuer: &Issuer, dir: &tempfile::TempDir) -> (Upstream, Locum) {
    let app = Upstream::plain().await;
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, issuer.jwks()).unwrap();
    let rest = format!(
        "[[issuers]]\nissuer = \"https://desk.example\"\naudience = \"locum\"\njwks = \"{}\"\napps = [\"shop\"]\n",
        path.display()
    );
    let locum = Locum::start(&Plan::new(&app.address).rest(&rest)).await;
    (app, locum)
}

pub(super) fn bearer(locum: &Locum, target: &str, token: &str) -> String {
    let port = locum.port;
    format!(
        "GET {target} HTTP/1.1\r\nHost: shop.localhost:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
}

/// The certificate covers the sessions' names; the app's front name is reached through one of them.
pub(super) const SNI: &str = "s1.shop.localhost";

#[tokio::test]
async fn a_signed_grant_is_a_session_until_its_jti_is_revoked() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().unwrap();
    let (app, locum) = start(&issuer, &dir).await;
    let mut conn = locum.connect(SNI).await;
    let token = issuer.token("j1", |_| ());
    assert_eq!(conn.ask(&bearer(&locum, "/one", &token)).await.status, 200);
    assert_eq!(
        app.last().field("authorization"),
        "",
        "the grant itself does not reach the app"
    );
    let started = locum.record(|one| is(one, "session.started")).await;
    assert_eq!(started["src_endpoint"]["ip"], "127.0.0.1", "{started}");
    let opened = locum.record(|one| is(one, "exchange.opened")).await;
    assert_eq!(opened["locum"]["ticket"], "SUP-7", "{opened}");
    assert_eq!(
        conn.ask(&bearer(&locum, "/secret", &token)).await.reason(),
        "policy"
    );
    let done = locum.command(&["grant", "revoke", "--token", "j1"]);
    assert!(done.status.success(), "{done:?}");
    locum.record(|one| is(one, "session.ended")).await;
    let answer = conn.ask(&bearer(&locum, "/two", &token)).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "session-ended")
    );
    let record = locum.record(|one| refused(one, "session-ended")).await;
    assert_eq!(
        record["actor"]["user"]["uid"], "ada@support.example",
        "{record}"
    );
    assert_eq!(app.saw("/two"), 0);
}

#[tokio::test]
async fn a_bad_grant_is_refused_whatever_is_wrong_with_it() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().unwrap();
    let (app, locum) = start(&issuer, &dir).await;
    let mut conn = locum.connect(SNI).await;
    let tokens = [
        issuer.token("a", |claims| claims["aud"] = json!("other")),
        issuer.token("b", |claims| claims["exp"] = json!(1)),
        issuer.token("c", |claims| claims["iss"] = json!("https://evil.example")),
        issuer.token("d", |claims| claims["act"] = Value::Null),
        Issuer::new().token("e", |_| ()),
        "nonsense".to_owned(),
    ];
    for token in &tokens {
        let answer = conn.ask(&bearer(&locum, "/", token)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.text().contains(token.as_str()), "{answer:?}");
    }
    assert!(app.heard().is_empty());
}

#[tokio::test]
async fn a_signed_grant_is_exchanged_once_for_a_browsers_session() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().unwrap();
    let (app, locum) = start(&issuer, &dir).await;
    let token = issuer.token("j2", |_| ());
    let body = format!("grant={token}");
    let post = format!(
        "POST /.locum/start HTTP/1.1\r\nHost: shop.localhost:{}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        locum.port,
        body.len()
    );
    let mut conn = locum.connect(SNI).await;
    let answer = conn.ask(&post).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let url: url::Url = answer.field("location").parse().unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), locum.port);
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    let start = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = conn.ask(&start).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let agent = Agent {
        session: host.split('.').next().unwrap().to_owned(),
        grant: String::new(),
        cookie: answer
            .field("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned(),
        host,
    };
    assert_eq!(locum.get(&agent, "/").await.status, 200);
    assert_eq!(app.heard().len(), 1);
    assert_eq!(
        conn.ask(&start).await.status,
        401,
        "the hand-off works once"
    );
    assert_eq!(
        conn.ask(&post).await.status,
        401,
        "the grant is exchanged once"
    );
}
