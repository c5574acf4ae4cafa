//! Signing in again, freshly: the provider is asked for it, and must prove it.

use super::bench::{Bench, Browser};
use super::provider::NOW;
use crate::store::external::forge::Anything;
use http::StatusCode;
use serde_json::{Value, json};

type Outcome = Anything<()>;

#[tokio::test]
async fn a_step_up_asks_for_it_and_renews_the_login() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    let before = browser.jar.clone();
    bench.forward(1000);
    provider.script.lock().now = bench.seconds();
    provider.script.lock().claims = vec![("acr", json!("hwk"))];
    let sent = browser.get("/login?to=/requests/1&fresh=1").await?;
    let asked = sent.location();
    for part in ["max_age=0", "prompt=login", "acr_values=mfa+hwk"] {
        assert!(asked.contains(part), "{asked}");
    }
    let done = browser.get(&provider.sign_in(&asked)?).await?;
    assert_eq!(done.location(), "/requests/1", "{}", done.body);
    assert_eq!(bench.last_note()?, "login.step-up");
    let caller = browser.visit().await?.ok_or("nobody")?.caller;
    assert_eq!(caller.proof.at.seconds(), NOW + 1000);
    assert_eq!(caller.proof.acr.as_deref(), Some("hwk"));
    // A copy of the cookie from before is worthless.
    assert_ne!(before, browser.jar);
    let mut copy = Browser::new(&bench);
    copy.jar = before;
    assert!(copy.visit().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_provider_that_does_not_prove_it_is_refused() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    bench.forward(100);
    let now = bench.seconds();
    provider.script.lock().now = now;
    let table: Vec<(Vec<(&'static str, Value)>, &str)> = vec![
        (
            vec![("auth_time", json!(now - 100)), ("acr", json!("mfa"))],
            "step-up.stale",
        ),
        (
            vec![("auth_time", json!(now - 6)), ("acr", json!("mfa"))],
            "step-up.stale",
        ),
        (
            vec![("auth_time", Value::Null), ("acr", json!("mfa"))],
            "step-up.stale",
        ),
        (vec![], "step-up.weak"),
        (vec![("acr", json!("pwd"))], "step-up.weak"),
        (vec![("acr", json!("mfa hwk"))], "step-up.weak"),
        (
            vec![("acr", json!("mfa")), ("sub", json!("eve"))],
            "step-up.other-account",
        ),
    ];
    for (claims, reason) in table {
        provider.script.lock().claims.clone_from(&claims);
        let done = browser
            .sign_in(&provider, "?to=/requests/1&fresh=1")
            .await?;
        assert_ne!(done.status, StatusCode::SEE_OTHER, "{claims:?}");
        assert_eq!(
            bench.last_note()?,
            format!("login.refused {reason}"),
            "{claims:?}"
        );
        let caller = browser
            .visit()
            .await?
            .ok_or("still signed in as before")?
            .caller;
        assert_eq!(caller.proof.at.seconds(), NOW, "{claims:?}");
    }
    provider.script.lock().claims = vec![("auth_time", json!(now - 5)), ("acr", json!("mfa"))];
    let done = browser.sign_in(&provider, "?fresh=1").await?;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "within the leeway");
    Ok(())
}

#[tokio::test]
async fn a_step_up_of_nobody_is_a_sign_in_held_to_the_same() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "?fresh=1").await?;
    assert_eq!(bench.last_note()?, "login.refused step-up.weak");
    provider.script.lock().claims = vec![("acr", json!("mfa"))];
    browser.sign_in(&provider, "?fresh=1").await?;
    assert_eq!(bench.last_note()?, "login.in");
    Ok(())
}
