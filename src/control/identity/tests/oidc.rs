//! Signing in by OpenID Connect: what makes it good, and each thing that must not.

use super::bench::{Bench, Browser, oidc, settings};
use super::provider::{Forge, NOW, Provider};
use crate::control::identity::HumanSettings;
use crate::model::{Method, Role};
use crate::store::external::forge::{Anything, Signer, b64, hmac};
use http::StatusCode;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

type Outcome = Anything<()>;

#[tokio::test]
async fn a_person_signs_in_and_is_who_the_provider_says() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let sent = browser.get("/login?to=/requests/new").await?;
    let asked = sent.location();
    assert!(
        asked.contains("max_age=28800") && !asked.contains("prompt="),
        "{asked}"
    );
    let done = browser.get(&provider.sign_in(&asked)?).await?;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(done.location(), "/requests/new");
    let visit = browser.visit().await?.ok_or("nobody")?;
    let caller = &visit.caller;
    assert_eq!(caller.person, "ada@support.example");
    assert_eq!(caller.account, format!("{}|ada", provider.issuer()));
    assert_eq!(caller.name.as_deref(), Some("Ada Byron"));
    assert_eq!(caller.proof.method, Method::Oidc);
    assert_eq!(caller.proof.at.seconds(), NOW);
    assert!(caller.may(Role::Operator, "acme", "shop") && !caller.is(Role::Approver));
    assert_eq!(bench.last_note()?, "login.in");
    // Signed in already: straight on.
    let again = browser.get("/login?to=/approvals").await?;
    assert_eq!(again.location(), "/approvals");
    Ok(())
}

#[tokio::test]
async fn nobody_is_sent_to_another_origin() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    for to in [
        "//evil.example",
        "https%3A%2F%2Fevil.example",
        "/%5Cevil.example",
        "/login",
    ] {
        let mut browser = Browser::new(&bench);
        let done = browser.sign_in(&provider, &format!("?to={to}")).await?;
        assert_eq!(done.location(), "/", "{to}");
    }
    Ok(())
}

/// Each lie of a token, and the word for it.
#[tokio::test]
async fn a_token_that_does_not_hold_lets_nobody_in() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let table: Vec<(&'static str, Value, &str)> = vec![
        ("nonce", json!("another"), "login.token"),
        ("nonce", Value::Null, "login.token"),
        ("aud", json!("other-client"), "login.token"),
        ("aud", json!(["locum", "other-client"]), "login.token"),
        ("aud", json!([]), "login.token"),
        ("azp", json!("other-client"), "login.token"),
        ("iss", json!("https://evil.example"), "login.token"),
        ("exp", json!(NOW - 6), "login.token"),
        ("iat", json!(NOW + 6), "login.token"),
        ("iat", json!(NOW - 700), "login.token"),
        ("act", json!({"sub": "kim"}), "login.nested"),
        ("may_act", json!({"sub": "kim"}), "login.nested"),
        ("sub", json!("a\u{202e}b"), "login.claim"),
        (
            "groups",
            json!(["1", "2", "3", "4", "5", "6"]),
            "login.groups",
        ),
        ("groups", json!(7), "login.claim"),
        ("auth_time", json!("yesterday"), "login.provider"),
    ];
    for (claim, value, reason) in table {
        provider.script.lock().claims = vec![(claim, value.clone())];
        let mut browser = Browser::new(&bench);
        let done = browser.sign_in(&provider, "").await?;
        assert_ne!(done.status, StatusCode::SEE_OTHER, "{claim} {value}");
        assert!(browser.visit().await?.is_none(), "{claim} {value}");
        assert_eq!(
            bench.last_note()?,
            format!("login.refused {reason}"),
            "{claim} {value}"
        );
        assert!(!done.body.contains("eyJ"), "no token is shown");
    }
    provider.script.lock().claims = vec![("azp", json!("locum")), ("aud", json!(["locum"]))];
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    assert!(browser.visit().await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_signature_that_does_not_hold_lets_nobody_in() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let forgeries: [(&str, Forge); 6] = [
        ("alg none", |_, header, claims| {
            let mut header = header.clone();
            header["alg"] = json!("none");
            Ok(format!(
                "{}.{}.",
                b64(header.to_string()),
                b64(claims.to_string())
            ))
        }),
        (
            "a stranger's key under the known id",
            |_, header, claims| Signer::new("k1", Algorithm::ES256)?.sign(header, claims),
        ),
        ("the client's secret as key", |_, header, claims| {
            let mut header = header.clone();
            header["alg"] = json!("HS256");
            hmac(&header, claims, super::provider::SECRET.as_bytes())
        }),
        ("the public key as secret", |script, header, claims| {
            let mut header = header.clone();
            header["alg"] = json!("HS256");
            let signer = script.signers.first().ok_or("no key")?;
            hmac(&header, claims, signer.public_pem.as_bytes())
        }),
        ("claims changed after signing", |script, header, claims| {
            let signer = script.signers.first().ok_or("no key")?;
            let token = signer.sign(header, claims)?;
            let mut other = claims.clone();
            other["sub"] = json!("root");
            let parts: Vec<&str> = token.split('.').collect();
            let (head, signature) = (parts.first().ok_or("-")?, parts.get(2).ok_or("-")?);
            Ok(format!("{head}.{}.{signature}", b64(other.to_string())))
        }),
        ("an access token's type", |script, header, claims| {
            let mut header = header.clone();
            header["typ"] = json!("at+jwt");
            let signer = script.signers.first().ok_or("no key")?;
            signer.sign(&header, claims)
        }),
    ];
    for (what, forge) in forgeries {
        provider.script.lock().forge = Some(forge);
        let mut browser = Browser::new(&bench);
        let done = browser.sign_in(&provider, "").await?;
        assert_eq!(
            done.status,
            StatusCode::UNAUTHORIZED,
            "{what}: {}",
            done.body
        );
        assert!(browser.visit().await?.is_none(), "{what}");
        assert_eq!(bench.last_note()?, "login.refused login.token", "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn an_algorithm_that_is_not_pinned_is_refused_whatever_the_provider_says() -> Outcome {
    let provider = Provider::start().await?;
    let mut from = oidc(provider.issuer());
    from.algorithms
        .retain(|it| *it == crate::store::external::Algorithm::EdDsa);
    let bench = Bench::new(settings(HumanSettings::Oidc(Box::new(from))))?;
    let mut browser = Browser::new(&bench);
    let done = browser.sign_in(&provider, "").await?;
    assert_eq!(done.status, StatusCode::UNAUTHORIZED);
    provider.script.lock().signers = vec![Signer::new("k2", Algorithm::EdDSA)?];
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    browser.sign_in(&provider, "").await?;
    assert!(browser.visit().await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_new_makes_us_look_again_but_not_too_often() -> Outcome {
    let provider = Provider::start().await?;
    let mut from = oidc(provider.issuer());
    from.cooldown = std::time::Duration::from_millis(300);
    let bench = Bench::new(settings(HumanSettings::Oidc(Box::new(from))))?;
    Browser::new(&bench).sign_in(&provider, "").await?;
    assert_eq!(provider.script.lock().discoveries, 1);
    provider
        .script
        .lock()
        .signers
        .push(Signer::new("k2", Algorithm::EdDSA)?);
    let early = Browser::new(&bench).sign_in(&provider, "").await?;
    assert_eq!(
        early.status,
        StatusCode::UNAUTHORIZED,
        "within the cool-down"
    );
    assert_eq!(provider.script.lock().discoveries, 1);
    tokio::time::sleep(std::time::Duration::from_millis(320)).await;
    let late = Browser::new(&bench).sign_in(&provider, "").await?;
    assert_eq!(late.status, StatusCode::SEE_OTHER, "{}", late.body);
    assert_eq!(provider.script.lock().discoveries, 2);
    // A key that is in no set: looked for once more, then refused.
    provider
        .script
        .lock()
        .signers
        .push(Signer::new("k3", Algorithm::ES256)?);
    provider.script.lock().publishes_all = false;
    tokio::time::sleep(std::time::Duration::from_millis(320)).await;
    let never = Browser::new(&bench).sign_in(&provider, "").await?;
    assert_eq!(never.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.script.lock().discoveries, 3);
    Ok(())
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_by_the_browser_that_began_it() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let sent = browser.get("/login").await?;
    let back = provider.sign_in(&sent.location())?;
    // Somebody else got hold of the link.
    let mut thief = Browser::new(&bench);
    assert_eq!(thief.get(&back).await?.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.last_note()?, "login.refused login.browser");
    assert_eq!(browser.get(&back).await?.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.last_note()?, "login.refused login.flow");
    // Once only.
    let sent = browser.get("/login").await?;
    let back = provider.sign_in(&sent.location())?;
    assert_eq!(browser.get(&back).await?.status, StatusCode::SEE_OTHER);
    browser.jar.remove("__Host-locum-portal");
    assert_eq!(browser.get(&back).await?.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.last_note()?, "login.refused login.flow");
    // Not after its time.
    let sent = browser.get("/login").await?;
    let back = provider.sign_in(&sent.location())?;
    bench.forward(600);
    assert_eq!(browser.get(&back).await?.status, StatusCode::UNAUTHORIZED);
    for junk in [
        "/login/callback",
        "/login/callback?state=x&code=y",
        "/login/callback?code=y",
    ] {
        assert_eq!(browser.get(junk).await?.status, StatusCode::UNAUTHORIZED);
    }
    assert!(browser.visit().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn two_tabs_sign_in_side_by_side() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let one = browser.get("/login?to=/a").await?;
    let two = browser.get("/login?to=/b").await?;
    let (one, two) = (
        provider.sign_in(&one.location())?,
        provider.sign_in(&two.location())?,
    );
    assert_eq!(browser.get(&two).await?.location(), "/b");
    assert_eq!(browser.get(&one).await?.location(), "/a");
    Ok(())
}

#[tokio::test]
async fn an_answer_of_another_provider_or_a_no_is_refused() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let sent = browser.get("/login").await?;
    let back = provider.sign_in(&sent.location())?;
    let issuer: String =
        url::form_urlencoded::byte_serialize(provider.issuer().as_bytes()).collect();
    let mixed = back.replace(&issuer, "https%3A%2F%2Fevil.example");
    assert_ne!(mixed, back);
    browser.get(&mixed).await?;
    assert_eq!(bench.last_note()?, "login.refused login.issuer");
    let sent = browser.get("/login?to=/requests").await?;
    let back = provider.sign_in(&sent.location())?;
    let denied = back.replace("code=", "error=access_denied&x=");
    let answer = browser.get(&denied).await?;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("access_denied") && answer.body.contains("/login?to=%2Frequests"));
    let sent = browser.get("/login").await?;
    let back = provider.sign_in(&sent.location())?;
    let script = back.replace("code=", "error=%3Cscript%3Ealert(1)&x=");
    assert!(!browser.get(&script).await?.body.contains("<script"));
    Ok(())
}

#[tokio::test]
async fn what_the_id_token_does_not_say_userinfo_does() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    {
        let mut script = provider.script.lock();
        script.claims = ["groups", "email", "email_verified", "name"]
            .map(|it| (it, Value::Null))
            .to_vec();
        script.userinfo = json!({
            "sub": "ada", "email": "Ada@support.example", "email_verified": true, "groups": ["leads"],
            "acr": "mfa", "auth_time": 1, "iss": "https://evil.example",
        });
    }
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    let caller = browser.visit().await?.ok_or("nobody")?.caller;
    assert_eq!(caller.person, "ada@support.example");
    assert!(caller.is(Role::Approver));
    assert_eq!(
        (caller.proof.acr, caller.proof.at.seconds()),
        (None, NOW),
        "of the ID token only"
    );
    for (userinfo, reason) in [
        (json!({"sub": "eve", "groups": ["leads"]}), "login.provider"),
        (json!({"sub": "ada", "act": {"sub": "kim"}}), "login.nested"),
    ] {
        provider.script.lock().userinfo = userinfo;
        let mut browser = Browser::new(&bench);
        browser.sign_in(&provider, "").await?;
        assert!(browser.visit().await?.is_none());
        assert_eq!(bench.last_note()?, format!("login.refused {reason}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_down_or_lies_about_itself_is_said() -> Outcome {
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("token_endpoint", json!("http://id.example/token")),
        (
            "authorization_endpoint",
            json!("http://id.example/authorize"),
        ),
        ("jwks_uri", json!("http://id.example/jwks")),
    ] {
        let (bench, provider) = Bench::with_provider().await?;
        provider.script.lock().metadata = vec![(name, value)];
        let answer = Browser::new(&bench).get("/login").await?;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
    }
    let (bench, provider) = Bench::with_provider().await?;
    provider.script.lock().down = true;
    let mut browser = Browser::new(&bench);
    assert_eq!(
        browser.get("/login").await?.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    provider.script.lock().down = false;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    browser.sign_in(&provider, "").await?;
    assert!(browser.visit().await?.is_some());
    Ok(())
}
