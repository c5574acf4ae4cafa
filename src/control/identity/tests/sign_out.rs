//! Signing out here and at the provider: logins are void, and what they had open as an operator ends.

use super::bench::{Bench, Browser, PORTAL};
use super::provider::{Changes, NOW, Provider};
use crate::model::{Binding, EndCause, SecretHash, SessionId};
use crate::store::Issue;
use crate::store::conformance::{after, grant};
use crate::store::external::forge::{Anything, Signer};
use http::StatusCode;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

type Outcome = Anything<()>;

/// A support session of Ada's, open.
async fn open_session(bench: &Bench) -> Anything<SessionId> {
    let session = SessionId::fresh();
    let issue = Issue {
        grant: grant(),
        session,
        binding: Binding::default(),
        code: SecretHash::from_bytes([7; 32]),
        code_expires: after(60),
    };
    let issued = bench
        .control
        .run("opening", move |tx| Ok(tx.issue(&issue)?))
        .await;
    issued.map_err(|why| why.to_string())?;
    Ok(session)
}

async fn ended(bench: &Bench, session: SessionId) -> Anything<Option<EndCause>> {
    let found = bench
        .control
        .run("looking", move |tx| Ok(tx.session(session)?))
        .await;
    let found = found.map_err(|why| why.to_string())?.ok_or("no session")?;
    Ok(found.session.ended.map(|it| it.cause))
}

#[tokio::test]
async fn signing_out_voids_the_login_and_ends_what_is_open() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    let session = open_session(&bench).await?;
    let csrf = browser.visit().await?.ok_or("nobody")?.csrf;
    let before = browser.jar.clone();
    // Neither another page nor a stale form signs anybody out.
    let forged = browser
        .post_from("/logout", &[("csrf", &csrf)], "https://evil.example")
        .await?;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let stale = browser.post("/logout", &[("csrf", "x")]).await?;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert_eq!(ended(&bench, session).await?, None);
    let done = browser.post("/logout", &[("csrf", &csrf)]).await?;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.body.contains("One support session"), "{}", done.body);
    let onward = format!(
        "{}/end?client_id=locum&amp;post_logout_redirect_uri=",
        provider.issuer()
    );
    let numeric = onward.replace("&amp;", "&#38;");
    assert!(
        done.body.contains(&onward) || done.body.contains(&numeric),
        "{}",
        done.body
    );
    assert!(!browser.jar.contains_key("__Host-locum-portal"));
    browser.jar = before;
    assert!(
        browser.visit().await?.is_none(),
        "a copy of the cookie is void"
    );
    assert_eq!(ended(&bench, session).await?, Some(EndCause::SignedOut));
    let codes: Vec<String> = bench.notes()?.into_iter().map(|it| it.code).collect();
    assert!(codes.iter().any(|it| it == "login.out"), "{codes:?}");
    let again = browser.post("/logout", &[("csrf", &csrf)]).await?;
    assert_eq!(
        again.status,
        StatusCode::OK,
        "there is nothing to sign out of"
    );
    assert_eq!(browser.get("/login/out").await?.status, StatusCode::OK);
    Ok(())
}

async fn tell(bench: &Bench, token: &str) -> Anything<StatusCode> {
    let mut provider = Browser::new(bench);
    let answer = provider
        .post_from("/login/backchannel", &[("logout_token", token)], PORTAL)
        .await?;
    assert_eq!(
        answer
            .headers
            .get("cache-control")
            .map(http::HeaderValue::as_bytes),
        Some(&b"no-store"[..])
    );
    Ok(answer.status)
}

#[tokio::test]
async fn the_providers_word_voids_logins_and_ends_sessions_once() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let (mut one, mut other) = (Browser::new(&bench), Browser::new(&bench));
    one.sign_in(&provider, "").await?;
    provider.script.lock().claims = vec![("sid", json!("another-session"))];
    other.sign_in(&provider, "").await?;
    let session = open_session(&bench).await?;
    let token = provider.logout_token("j1", &[], &[])?;
    assert_eq!(tell(&bench, &token).await?, StatusCode::OK);
    assert!(one.visit().await?.is_none());
    assert!(
        other.visit().await?.is_some(),
        "another session at the provider"
    );
    assert_eq!(ended(&bench, session).await?, Some(EndCause::SignedOut));
    assert_eq!(
        tell(&bench, &token).await?,
        StatusCode::BAD_REQUEST,
        "not twice"
    );
    assert_eq!(bench.last_note()?, "login.refused login.replayed");
    // Without a session: all of the account's.
    let all = provider.logout_token("j2", &[("sid", Value::Null)], &[])?;
    assert_eq!(tell(&bench, &all).await?, StatusCode::OK);
    assert!(other.visit().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn somebody_without_a_login_is_signed_out_by_their_id() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let session = open_session(&bench).await?;
    let changes = [("sub", json!("Ada@support.example")), ("sid", Value::Null)];
    let token = provider.logout_token("j1", &changes, &[])?;
    assert_eq!(tell(&bench, &token).await?, StatusCode::OK);
    assert_eq!(ended(&bench, session).await?, Some(EndCause::SignedOut));
    Ok(())
}

/// Changes to claims and header that each make a logout token none.
fn lies() -> Vec<(Changes, Changes)> {
    vec![
        (vec![("iss", json!("https://evil.example"))], vec![]),
        (vec![("aud", json!("other-client"))], vec![]),
        (vec![("aud", Value::Null)], vec![]),
        (vec![("exp", json!(NOW - 6))], vec![]),
        (vec![("exp", Value::Null)], vec![]),
        (vec![("exp", json!(NOW + 86_400))], vec![]),
        (vec![("iat", json!(NOW + 60))], vec![]),
        (vec![("iat", Value::Null)], vec![]),
        (vec![("jti", Value::Null)], vec![]),
        (vec![("nonce", json!("n"))], vec![]),
        (vec![("events", Value::Null)], vec![]),
        (
            vec![(
                "events",
                json!({"http://schemas.openid.net/event/backchannel-logout": 1}),
            )],
            vec![],
        ),
        (
            vec![(
                "events",
                json!({"https://schemas.openid.net/secevent/caep/x": {}}),
            )],
            vec![],
        ),
        (vec![("sub", Value::Null), ("sid", Value::Null)], vec![]),
        (vec![], vec![("typ", json!("at+jwt"))]),
        (vec![], vec![("crit", json!(["exp"]))]),
        (vec![], vec![("alg", json!("none"))]),
        (vec![], vec![("alg", json!("HS256"))]),
        (vec![], vec![("kid", json!("k9"))]),
    ]
}

#[tokio::test]
async fn a_forged_logout_does_nothing() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    let session = open_session(&bench).await?;
    for (n, (claims, header)) in lies().into_iter().enumerate() {
        let token = provider.logout_token(&format!("f{n}"), &claims, &header)?;
        assert_eq!(
            tell(&bench, &token).await?,
            StatusCode::BAD_REQUEST,
            "{claims:?} {header:?}"
        );
    }
    let good = provider.logout_token("g", &[], &[])?;
    let stranger = Provider::start().await?;
    stranger.script.lock().issuer = provider.issuer();
    stranger.script.lock().signers = vec![Signer::new("k1", Algorithm::ES256)?];
    let (message, _) = good.rsplit_once('.').ok_or("no parts")?;
    for forged in [
        stranger.logout_token("s", &[], &[])?,
        format!("{message}."),
        format!("{message}.AAAA"),
        message.to_owned(),
        String::new(),
        "..".to_owned(),
        "a".repeat(20_000),
    ] {
        assert_eq!(tell(&bench, &forged).await?, StatusCode::BAD_REQUEST);
    }
    assert!(browser.visit().await?.is_some());
    assert_eq!(ended(&bench, session).await?, None);
    // An ID token is no logout token, and the other way round is refused by its missing nonce.
    provider
        .script
        .lock()
        .signers
        .push(Signer::new("k2", Algorithm::ES256)?);
    let rotated = provider.logout_token("r", &[], &[])?;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(
        tell(&bench, &rotated).await?,
        StatusCode::OK,
        "a key that is new is looked for"
    );
    Ok(())
}
