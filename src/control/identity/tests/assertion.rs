//! An access proxy's assertion: who it says is there, and nobody's word but its.

use super::bench::{Bench, Browser, settings};
use super::provider::{Changes, NOW, change};
use crate::control::gate::{Gate as _, Peer};
use crate::control::identity::{AssertionSettings, HumanSettings};
use crate::model::Method;
use crate::store::external::forge::{Anything, Signer, set};
use crate::store::external::{Algorithm, Issuer, Jwks};
use axum::body::Body;
use http::{Request, StatusCode, header};
use jsonwebtoken::Algorithm as Wire;
use serde_json::{Value, json};

type Outcome = Anything<()>;

const HEADER: &str = "x-access-assertion";

struct Proxy {
    signer: Signer,
    bench: Bench,
    _dir: tempfile::TempDir,
}

impl Proxy {
    fn new() -> Anything<Self> {
        let signer = Signer::new("k1", Wire::ES256)?;
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("keys.json");
        std::fs::write(&file, set(&[&signer])?)?;
        let issuer = Issuer {
            algorithms: vec![Algorithm::Es256],
            types: vec!["JWT".to_owned()],
            untyped: true,
            ..Issuer::new("https://access.example", "locum-portal", Jwks::File(file))
        };
        let human = HumanSettings::Assertion(Box::new(AssertionSettings {
            header: http::HeaderName::from_static(HEADER),
            issuer,
            groups_claim: "groups".to_owned(),
            person_claim: Some("email".to_owned()),
            auth_time_claim: "auth_time".to_owned(),
        }));
        Ok(Self {
            signer,
            bench: Bench::new(settings(human))?,
            _dir: dir,
        })
    }

    fn token(&self, changes: &[(&str, Value)], head: &[(&str, Value)]) -> Anything<String> {
        let now = self.bench.seconds();
        let mut claims = json!({
            "iss": "https://access.example", "aud": ["locum-portal"], "iat": now, "exp": now + 300, "sub": "ada",
            "email": "Ada@support.example", "groups": ["support"], "auth_time": now, "acr": "mfa",
        });
        change(&mut claims, changes);
        let mut header = self.signer.header();
        change(&mut header, &[("typ", json!("JWT"))]);
        change(&mut header, head);
        self.signer.sign(&header, &claims)
    }

    async fn login(
        &self,
        token: &str,
        cookie: &str,
        query: &str,
    ) -> Anything<super::bench::Answered> {
        let request = Request::get(format!("/login{query}"))
            .header(HEADER, token)
            .header(header::COOKIE, cookie)
            .body(Body::empty())?;
        self.bench.send(request, "192.0.2.7:1000").await
    }

    async fn caller(
        &self,
        method: http::Method,
        more: &[(&str, &str)],
    ) -> Anything<Result<String, &'static str>> {
        let mut request = Request::builder().method(method).uri("/api/v1/whoami");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        parts.extensions.insert(Peer {
            address: "192.0.2.7:1000".parse()?,
            certificate: None,
        });
        let found = self.bench.identity.caller(&parts).await;
        Ok(found.map(|it| it.person).map_err(|why| why.reason))
    }
}

#[tokio::test]
async fn the_proxys_word_signs_in_and_only_while_it_stands() -> Outcome {
    let proxy = Proxy::new()?;
    let done = proxy
        .login(&proxy.token(&[], &[])?, "", "?to=/requests")
        .await?;
    assert_eq!(
        (done.status, done.location().as_str()),
        (StatusCode::SEE_OTHER, "/requests")
    );
    let cookie = done
        .headers
        .get(header::SET_COOKIE)
        .ok_or("no cookie")?
        .to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let visit = async |token: Option<String>| {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse()?);
        if let Some(token) = token {
            headers.insert(HEADER, token.parse()?);
        }
        let found = proxy.bench.identity.visitor(&headers).await;
        Anything::Ok(found.map_err(|why| why.to_string())?.map(|it| it.caller))
    };
    let caller = visit(Some(proxy.token(&[], &[])?)).await?.ok_or("nobody")?;
    assert_eq!(caller.person, "ada@support.example");
    assert_eq!(caller.proof.method, Method::Assertion);
    assert!(visit(None).await?.is_none(), "around the proxy");
    let eve = proxy.token(&[("sub", json!("eve"))], &[])?;
    assert!(
        visit(Some(eve)).await?.is_none(),
        "somebody else is there now"
    );
    // The API takes it by itself; what changes things must come from our page.
    let token = proxy.token(&[], &[])?;
    let ada = Ok("ada@support.example".to_owned());
    assert_eq!(
        proxy.caller(http::Method::GET, &[(HEADER, &token)]).await?,
        ada
    );
    let asked = proxy
        .caller(http::Method::POST, &[(HEADER, &token)])
        .await?;
    assert_eq!(asked, Err("csrf.origin"));
    Ok(())
}

#[tokio::test]
async fn each_forged_assertion_is_refused() -> Outcome {
    let proxy = Proxy::new()?;
    let table: Vec<(Changes, Changes, &str)> = vec![
        (
            vec![("iss", json!("https://evil.example"))],
            vec![],
            "login.issuer",
        ),
        (vec![("aud", json!("another-app"))], vec![], "login.claim"),
        (vec![("aud", Value::Null)], vec![], "login.claim"),
        (vec![("exp", json!(NOW - 6))], vec![], "login.claim"),
        (vec![("exp", json!(NOW + 7200))], vec![], "login.claim"),
        (vec![("exp", Value::Null)], vec![], "login.claim"),
        (vec![("nbf", json!(NOW + 60))], vec![], "login.claim"),
        (vec![("email", Value::Null)], vec![], "login.claim"),
        (
            vec![("email_verified", json!(false))],
            vec![],
            "login.claim",
        ),
        (vec![("act", json!({"sub": "x"}))], vec![], "login.nested"),
        (vec![], vec![("alg", json!("none"))], "token-algorithm"),
        (vec![], vec![("kid", json!("k2"))], "token-key"),
        (
            vec![],
            vec![("typ", json!("locum-grant+jwt"))],
            "token-type",
        ),
        (
            vec![],
            vec![("jku", json!("https://evil.example"))],
            "token-header",
        ),
    ];
    for (claims, head, reason) in table {
        let token = proxy.token(&claims, &head)?;
        let done = proxy.login(&token, "", "").await?;
        assert_ne!(done.status, StatusCode::SEE_OTHER, "{claims:?} {head:?}");
        let wanted = format!("login.refused {reason}");
        assert_eq!(proxy.bench.last_note()?, wanted, "{claims:?} {head:?}");
        let asked = proxy.caller(http::Method::GET, &[(HEADER, &token)]).await?;
        assert_eq!(asked, Err(reason));
    }
    let stranger = Signer::new("k1", Wire::ES256)?;
    let token = proxy.token(&[], &[])?;
    let (message, _) = token.rsplit_once('.').ok_or("no parts")?;
    let (_, claims) = message.split_once('.').ok_or("no parts")?;
    let claims: Value = serde_json::from_slice(&base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        claims,
    )?)?;
    let mut header = stranger.header();
    header["typ"] = json!("JWT");
    let forged = stranger.sign(&header, &claims)?;
    assert_eq!(
        proxy.login(&forged, "", "").await?.status,
        StatusCode::UNAUTHORIZED
    );
    let untyped = proxy.token(&[], &[("typ", Value::Null)])?;
    assert_eq!(
        proxy.login(&untyped, "", "").await?.status,
        StatusCode::SEE_OTHER
    );
    // No assertion at all: the proxy was gone around.
    let without = Browser::new(&proxy.bench).get("/login").await?;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test]
async fn a_step_up_needs_an_assertion_that_is_fresh_by_itself() -> Outcome {
    let proxy = Proxy::new()?;
    for (changes, reason) in [
        (vec![("auth_time", json!(NOW - 301))], "step-up.stale"),
        (vec![("auth_time", Value::Null)], "step-up.stale"),
        (vec![("acr", json!("pwd"))], "step-up.weak"),
    ] {
        let token = proxy.token(&changes, &[])?;
        let done = proxy.login(&token, "", "?fresh=1").await?;
        assert_eq!(done.status, StatusCode::UNAUTHORIZED, "{changes:?}");
        assert_eq!(proxy.bench.last_note()?, format!("login.refused {reason}"));
    }
    let done = proxy.login(&proxy.token(&[], &[])?, "", "?fresh=1").await?;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(proxy.bench.last_note()?, "login.step-up");
    Ok(())
}
