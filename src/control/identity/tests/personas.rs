//! Demo personas: a choice, by a form of our own page only.

use super::bench::{Bench, Browser, personas, settings};
use crate::control::duties;
use crate::control::identity::HumanSettings;
use crate::model::{Method, Role};
use crate::store::external::forge::Anything;
use http::StatusCode;

type Outcome = Anything<()>;

fn bench() -> Anything<Bench> {
    Bench::new(settings(HumanSettings::Demo(personas())))
}

fn state(body: &str) -> Anything<String> {
    let (_, rest) = body
        .split_once("name=\"state\" value=\"")
        .ok_or("no state")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn one_chooses_whom_to_be() -> Outcome {
    let bench = bench()?;
    let mut browser = Browser::new(&bench);
    let page = browser.get("/login?to=/requests").await?;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("ada-admin") && !page.body.contains("<b>"),
        "{}",
        page.body
    );
    let state = state(&page.body)?;
    let done = browser
        .post("/login/persona", &[("state", &state), ("id", "ada-admin")])
        .await?;
    assert_eq!(
        (done.status, done.location().as_str()),
        (StatusCode::SEE_OTHER, "/requests")
    );
    let caller = browser.visit().await?.ok_or("nobody")?.caller;
    assert_eq!(
        (caller.person.as_str(), caller.account.as_str()),
        ("ada", "demo|ada-admin")
    );
    assert_eq!(caller.proof.method, Method::Demo);
    assert!(caller.is(Role::Approver) && !caller.is(Role::Operator));
    Ok(())
}

#[tokio::test]
async fn signing_in_again_satisfies_a_step_up() -> Outcome {
    let bench = bench()?;
    let mut browser = Browser::new(&bench);
    let page = browser.get("/login").await?;
    browser
        .post(
            "/login/persona",
            &[("state", &state(&page.body)?), ("id", "ada")],
        )
        .await?;
    let step_up = bench.control.settings.load().step_up.clone();
    let fresh = async |browser: &Browser<'_>| {
        let caller = browser.visit().await?.ok_or("nobody")?.caller;
        let now = bench.control.now();
        Anything::Ok(duties::is_fresh(&caller, &step_up, now).map_err(|why| why.reason))
    };
    assert_eq!(fresh(&browser).await?, Ok(()));
    bench.forward(301);
    assert_eq!(fresh(&browser).await?, Err("step-up.stale"));
    let page = browser.get("/login?fresh=1&to=/x").await?;
    assert!(page.body.contains("Sign in again"));
    let other = browser
        .post(
            "/login/persona",
            &[("state", &state(&page.body)?), ("id", "ada-admin")],
        )
        .await?;
    assert_eq!(
        other.status,
        StatusCode::FORBIDDEN,
        "another account is no step-up"
    );
    let page = browser.get("/login?fresh=1&to=/x").await?;
    let done = browser
        .post(
            "/login/persona",
            &[("state", &state(&page.body)?), ("id", "ada")],
        )
        .await?;
    assert_eq!(done.location(), "/x");
    assert_eq!(fresh(&browser).await?, Ok(()));
    assert_eq!(bench.last_note()?, "login.step-up");
    Ok(())
}

#[tokio::test]
async fn other_pages_and_other_names_choose_nothing() -> Outcome {
    let bench = bench()?;
    let mut browser = Browser::new(&bench);
    let page = browser.get("/login").await?;
    let state = state(&page.body)?;
    let form = [("state", state.as_str()), ("id", "ada")];
    let evil = browser
        .post_from("/login/persona", &form, "https://evil.example")
        .await?;
    assert_eq!(evil.status, StatusCode::FORBIDDEN);
    let mut other = Browser::new(&bench);
    assert_eq!(
        other.post("/login/persona", &form).await?.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(other.visit().await?.is_none());
    let page = browser.get("/login").await?;
    let state = self::state(&page.body)?;
    let form = [("state", state.as_str()), ("id", "root")];
    assert_eq!(
        browser.post("/login/persona", &form).await?.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(browser.visit().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn where_there_is_a_provider_nobody_is_a_persona() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let sent = browser.get("/login").await?;
    let url = url::Url::parse(&sent.location())?;
    let state = url.query_pairs().find(|(name, _)| name == "state");
    let state = state
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let form = [("state", state.as_str()), ("id", "ada")];
    assert_eq!(
        browser.post("/login/persona", &form).await?.status,
        StatusCode::NOT_FOUND
    );
    assert!(browser.visit().await?.is_none());
    drop(provider);
    let nobody = Bench::new(settings(HumanSettings::None))?;
    let answer = Browser::new(&nobody).get("/login").await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    Ok(())
}
