//! Each limit is met, counted, and said.

use super::bench::{Bench, Browser, oidc, settings};
use super::provider::Provider;
use crate::control::gate::{Gate as _, Peer};
use crate::control::identity::{HumanSettings, Settings};
use crate::store::external::forge::Anything;
use http::StatusCode;
use serde_json::json;

type Outcome = Anything<()>;

async fn with(change: impl FnOnce(&mut Settings)) -> Anything<(Bench, Provider)> {
    let provider = Provider::start().await?;
    let mut settings = settings(HumanSettings::Oidc(Box::new(oidc(provider.issuer()))));
    change(&mut settings);
    Ok((Bench::new(settings)?, provider))
}

#[track_caller]
fn counted(bench: &Bench, limit: &str) {
    let text = bench.metrics.expose();
    assert!(
        text.contains(&format!("locum_limit_hits_total{{limit=\"{limit}\"}}")),
        "{limit}: {text}"
    );
}

#[tokio::test]
async fn sign_ins_from_one_address_are_bounded() -> Outcome {
    let (bench, provider) = with(|it| it.max_sign_ins = 3).await?;
    let mut browser = Browser::new(&bench);
    for _ in 0..3 {
        assert_eq!(browser.get("/login").await?.status, StatusCode::SEE_OTHER);
    }
    let notes = bench.notes()?.len();
    assert_eq!(
        browser.get("/login").await?.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let back = browser.get("/login/callback?state=x").await?;
    assert_eq!(back.status, StatusCode::TOO_MANY_REQUESTS);
    let device = bench.api("/api/v1/login/device", &json!({})).await?;
    assert_eq!(device.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        bench.notes()?.len(),
        notes,
        "a flood is not recorded one by one"
    );
    counted(&bench, "SignIns");
    let mut elsewhere = Browser::new(&bench);
    elsewhere.address = "198.51.100.1:1";
    assert_eq!(
        elsewhere.sign_in(&provider, "").await?.status,
        StatusCode::SEE_OTHER
    );
    bench.forward(60);
    assert_eq!(browser.get("/login").await?.status, StatusCode::SEE_OTHER);
    Ok(())
}

/// Somebody else behind the same address, or a page that its visitor's browser loads, is no reason to refuse who is known.
#[tokio::test]
async fn a_good_token_is_good_whoever_else_tries() -> Outcome {
    let (bench, provider) = with(|it| it.max_sign_ins = 3).await?;
    provider.script.lock().device = None;
    let poll = json!({"device_code": "dev-1"});
    let given = bench.api("/api/v1/login/device/token", &poll).await?;
    let token = given.json()?["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut browser = Browser::new(&bench);
    for _ in 0..9 {
        let embedded = browser
            .get_as("/login", &[("sec-fetch-dest", "image")])
            .await?;
        assert_eq!(embedded.status, StatusCode::FORBIDDEN);
    }
    for _ in 0..3 {
        let page = browser
            .get_as("/login", &[("sec-fetch-dest", "document")])
            .await?;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(
        browser.get("/login").await?.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let who = |token: String| {
        let identity = std::sync::Arc::clone(&bench.identity);
        async move {
            let request = http::Request::get("/api/v1/whoami");
            let request = request.header("authorization", format!("Bearer {token}"));
            let (mut parts, ()) = request.body(())?.into_parts();
            parts.extensions.insert(Peer {
                address: "192.0.2.7:1000".parse()?,
                certificate: None,
            });
            let found = identity.caller(&parts).await;
            Anything::Ok(found.map(|it| it.person).map_err(|why| why.reason))
        }
    };
    assert_eq!(who(token).await?, Ok("ada@support.example".to_owned()));
    let bad = crate::model::Secret::fresh()?.reveal();
    assert_eq!(who(bad).await?, Err("login.too-many"));
    Ok(())
}

#[tokio::test]
async fn sign_ins_under_way_are_bounded() -> Outcome {
    let (bench, _provider) = with(|it| it.max_flows = 2).await?;
    let mut browser = Browser::new(&bench);
    browser.get("/login").await?;
    browser.get("/login").await?;
    assert_eq!(
        browser.get("/login").await?.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    counted(&bench, "Flows");
    bench.forward(600);
    assert_eq!(browser.get("/login").await?.status, StatusCode::SEE_OTHER);
    Ok(())
}

#[tokio::test]
async fn tokens_are_bounded() -> Outcome {
    let (bench, _provider) = with(|it| it.max_token_bytes = 1024).await?;
    let long = format!("a.{}.c", "b".repeat(1024));
    let mut provider = Browser::new(&bench);
    let told = provider
        .post("/login/backchannel", &[("logout_token", &long)])
        .await?;
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.last_note()?, "login.refused token-too-long");
    counted(&bench, "TokenBytes");
    Ok(())
}

#[tokio::test]
async fn groups_and_answers_are_bounded() -> Outcome {
    let (bench, provider) = with(|_| ()).await?;
    provider.script.lock().claims = vec![("groups", json!(["1", "2", "3", "4", "5", "6"]))];
    Browser::new(&bench).sign_in(&provider, "").await?;
    counted(&bench, "Groups");
    let (bench, provider) = with(|_| ()).await?;
    provider.script.lock().claims = vec![("x", json!("y".repeat(70_000)))];
    let answer = Browser::new(&bench).sign_in(&provider, "").await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    counted(&bench, "ProviderAnswer");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_hangs_is_not_waited_for() -> Outcome {
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut from = oidc(format!("http://{}", hanging.local_addr()?));
    from.timeout = std::time::Duration::from_millis(100);
    let bench = Bench::new(settings(HumanSettings::Oidc(Box::new(from))))?;
    let answer = Browser::new(&bench).get("/login").await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    counted(&bench, "ProviderTimeout");
    Ok(())
}
