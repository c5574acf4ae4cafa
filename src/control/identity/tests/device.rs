//! Signing in a command line: the provider's codes, our token.

use super::bench::{Bench, Browser, personas, settings};
use super::provider::NOW;
use crate::control::gate::{Gate as _, Peer};
use crate::control::identity::HumanSettings;
use crate::model::Caller;
use crate::store::external::forge::Anything;
use http::{Request, StatusCode};
use serde_json::json;

type Outcome = Anything<()>;

async fn caller(bench: &Bench, token: &str) -> Anything<Result<Caller, &'static str>> {
    let request =
        Request::post("/api/v1/requests").header("authorization", format!("Bearer {token}"));
    let (mut parts, ()) = request.body(())?.into_parts();
    parts.extensions.insert(Peer {
        address: "192.0.2.7:1000".parse()?,
        certificate: None,
    });
    Ok(bench
        .identity
        .caller(&parts)
        .await
        .map_err(|why| why.reason))
}

#[tokio::test]
async fn a_command_line_waits_and_then_has_a_token_for_a_while() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let begun = bench.api("/api/v1/login/device", &json!({})).await?;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    for list in [json!([]), json!([true])] {
        let taken = bench.api("/api/v1/login/device", &list).await?;
        assert!(taken.status.is_client_error(), "{list}: {}", taken.body);
    }
    let begun = begun.json()?;
    assert_eq!(begun["user_code"], "ABCD-EFGH");
    assert_eq!(begun["interval"], 5);
    let poll = json!({"device_code": begun["device_code"]});
    for (word, interval) in [("authorization_pending", 5), ("slow_down", 10)] {
        provider.script.lock().device = Some(word);
        let waiting = bench.api("/api/v1/login/device/token", &poll).await?;
        assert_eq!(waiting.status, StatusCode::ACCEPTED, "{}", waiting.body);
        assert_eq!(waiting.json()?["interval"], interval);
    }
    provider.script.lock().device = None;
    let done = bench.api("/api/v1/login/device/token", &poll).await?;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(
        done.headers
            .get("cache-control")
            .map(http::HeaderValue::as_bytes),
        Some(&b"no-store"[..])
    );
    let token = done.json()?["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let found = caller(&bench, &token).await?.map_err(str::to_owned)?;
    assert_eq!(found.person, "ada@support.example");
    assert_eq!(found.proof.at.seconds(), NOW);
    bench.forward(3599);
    assert!(caller(&bench, &token).await?.is_ok());
    bench.forward(1);
    assert_eq!(
        caller(&bench, &token).await?.map(|it| it.person),
        Err("login.token")
    );
    Ok(())
}

#[tokio::test]
async fn a_fresh_one_asks_the_provider_for_it() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    bench
        .api("/api/v1/login/device", &json!({"fresh": true}))
        .await?;
    let asked = provider.script.lock().device_asked.clone();
    for (name, value) in [
        ("max_age", "0"),
        ("prompt", "login"),
        ("acr_values", "mfa hwk"),
    ] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value));
    }
    Ok(())
}

#[tokio::test]
async fn a_no_and_junk_are_refused() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let poll = json!({"device_code": "dev-1"});
    for (word, status, reason) in [
        ("access_denied", StatusCode::FORBIDDEN, "login.denied"),
        ("expired_token", StatusCode::UNAUTHORIZED, "login.expired"),
        ("invalid_grant", StatusCode::FORBIDDEN, "login.denied"),
    ] {
        provider.script.lock().device = Some(word);
        let answer = bench.api("/api/v1/login/device/token", &poll).await?;
        assert_eq!(
            (answer.status, answer.json()?["reason"].as_str()),
            (status, Some(reason))
        );
    }
    provider.script.lock().device = None;
    provider.script.lock().claims = vec![("act", json!({"sub": "kim"}))];
    let nested = bench.api("/api/v1/login/device/token", &poll).await?;
    assert_eq!(nested.json()?["reason"], "login.nested");
    for junk in [
        json!({"device_code": ""}),
        json!({"device_code": "a b"}),
        json!({"device_code": "a".repeat(5000)}),
    ] {
        let answer = bench.api("/api/v1/login/device/token", &junk).await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for junk in [
        json!({}),
        json!([]),
        json!({"device_code": 7}),
        json!({"device_code": "x", "more": 1}),
    ] {
        let answer = bench.api("/api/v1/login/device/token", &junk).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let nobody = Bench::new(settings(HumanSettings::None))?;
    let answer = nobody.api("/api/v1/login/device", &json!({})).await?;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    Ok(())
}

#[tokio::test]
async fn a_command_line_is_signed_in_as_a_persona() -> Outcome {
    let bench = Bench::new(settings(HumanSettings::Demo(personas())))?;
    let begun = bench
        .api("/api/v1/login/device", &json!({}))
        .await?
        .json()?;
    let user = begun["user_code"].as_str().unwrap_or_default().to_owned();
    assert_eq!((user.len(), user.find('-')), (9, Some(4)), "{user}");
    let poll = json!({"device_code": begun["device_code"]});
    let look = async || bench.api("/api/v1/login/device/token", &poll).await;
    assert_eq!(look().await?.status, StatusCode::ACCEPTED);
    let mut browser = Browser::new(&bench);
    let choose = async |browser: &mut Browser<'_>, code: &str| {
        let page = browser.get(&format!("/login/device?code={code}")).await?;
        let (_, rest) = page
            .body
            .split_once("name=\"state\" value=\"")
            .ok_or("no state")?;
        let state = rest.split('"').next().unwrap_or_default();
        let form = [("state", state), ("id", "ada"), ("code", code)];
        Anything::Ok(browser.post("/login/persona", &form).await?.status)
    };
    assert_eq!(
        choose(&mut browser, "BBBB-BBBB").await?,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(look().await?.status, StatusCode::ACCEPTED);
    assert_eq!(
        choose(&mut browser, &user.to_lowercase()).await?,
        StatusCode::OK
    );
    assert_eq!(
        choose(&mut browser, &user).await?,
        StatusCode::UNAUTHORIZED,
        "once only"
    );
    assert!(
        browser.visit().await?.is_none(),
        "the browser itself is not signed in"
    );
    let done = look().await?;
    let token = done.json()?["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let found = caller(&bench, &token).await?.map_err(str::to_owned)?;
    assert_eq!(found.account, "demo|ada");
    assert_eq!(look().await?.status, StatusCode::UNAUTHORIZED, "once only");
    Ok(())
}
