//! Logins: how long they last, what they are kept as, and what a request with one must show besides.

use super::bench::{Bench, Browser, PORTAL};
use crate::control::gate::{Gate as _, Peer};
use crate::model::{Role, Secret};
use crate::store::external::forge::Anything;
use http::request::Parts;
use http::{Method, Request};

type Outcome = Anything<()>;

fn parts(method: Method, headers: &[(&str, &str)]) -> Anything<Parts> {
    let mut request = Request::builder().method(method).uri("/api/v1/requests");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(())?.into_parts();
    parts.extensions.insert(Peer {
        address: "192.0.2.7:1000".parse()?,
        certificate: None,
    });
    Ok(parts)
}

fn cookie(browser: &Browser<'_>) -> String {
    let secret = browser.jar.get("__Host-locum-portal");
    format!(
        "__Host-locum-portal={}",
        secret.cloned().unwrap_or_default()
    )
}

#[tokio::test]
async fn a_login_ends_by_idleness_and_by_its_own_time() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    for _ in 0..16 {
        bench.forward(1790);
        assert!(browser.visit().await?.is_some(), "used in time");
    }
    bench.forward(200);
    assert!(
        browser.visit().await?.is_none(),
        "over after login_max, however used"
    );
    provider.script.lock().now = bench.seconds();
    browser.sign_in(&provider, "").await?;
    bench.forward(1800);
    assert!(browser.visit().await?.is_none(), "idle");
    Ok(())
}

#[tokio::test]
async fn a_cookie_cannot_be_fixed_beforehand() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut victim = Browser::new(&bench);
    let planted = Secret::fresh()?.reveal();
    victim
        .jar
        .insert("__Host-locum-portal".to_owned(), planted.clone());
    victim.sign_in(&provider, "").await?;
    assert_ne!(victim.jar.get("__Host-locum-portal"), Some(&planted));
    let mut attacker = Browser::new(&bench);
    attacker
        .jar
        .insert("__Host-locum-portal".to_owned(), planted);
    assert!(attacker.visit().await?.is_none());
    // Signing in again voids the login before.
    let before = victim.jar.clone();
    victim.sign_in(&provider, "?fresh=1").await?;
    provider.script.lock().claims = vec![("acr", serde_json::json!("mfa"))];
    victim.sign_in(&provider, "?fresh=1").await?;
    attacker.jar = before;
    assert!(attacker.visit().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn the_store_never_has_what_a_browser_shows() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    let sent = browser.get("/login").await?;
    let asked = url::Url::parse(&sent.location())?;
    let mut shown: Vec<String> = browser.jar.values().cloned().collect();
    shown.extend(asked.query_pairs().filter_map(|(name, value)| {
        matches!(&*name, "state" | "nonce").then(|| value.into_owned())
    }));
    browser.get(&provider.sign_in(asked.as_str())?).await?;
    shown.extend(browser.jar.values().cloned());
    shown.push(browser.visit().await?.ok_or("nobody")?.csrf);
    assert!(shown.len() >= 6);
    let file = bench.database();
    let mut kept = std::fs::read(&file)?;
    kept.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
    for secret in shown {
        let raw =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &secret)?;
        for bytes in [secret.as_bytes(), &raw] {
            assert!(!kept.windows(bytes.len()).any(|it| it == bytes));
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_unsafe_request_with_a_cookie_needs_its_token_and_our_origin() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    browser.sign_in(&provider, "").await?;
    other.sign_in(&provider, "").await?;
    let csrf = browser.visit().await?.ok_or("nobody")?.csrf;
    let others = other.visit().await?.ok_or("nobody")?.csrf;
    assert_ne!(csrf, others);
    let cookie = cookie(&browser);
    let ask = async |method: Method, more: &[(&str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend_from_slice(more);
        let found = bench.identity.caller(&parts(method, &headers)?).await;
        Anything::Ok(found.map(|it| it.person).map_err(|why| why.reason))
    };
    let ada = Ok("ada@support.example".to_owned());
    let site = ("sec-fetch-site", "same-origin");
    let origin = ("origin", PORTAL);
    assert_eq!(ask(Method::GET, &[]).await?, ada);
    assert_eq!(
        ask(Method::POST, &[origin, ("x-locum-csrf", &csrf)]).await?,
        ada
    );
    assert_eq!(
        ask(Method::POST, &[site, ("x-locum-csrf", &csrf)]).await?,
        ada
    );
    assert_eq!(ask(Method::POST, &[origin]).await?, Err("csrf.token"));
    for wrong in ["", "x", &others, &csrf[1..]] {
        let asked = ask(Method::DELETE, &[origin, ("x-locum-csrf", wrong)]).await?;
        assert_eq!(asked, Err("csrf.token"));
    }
    let asked = ask(Method::PUT, &[("x-locum-csrf", &csrf)]).await?;
    assert_eq!(asked, Err("csrf.origin"));
    let evil = ("origin", "https://evil.example");
    let asked = ask(Method::POST, &[evil, ("x-locum-csrf", &csrf)]).await?;
    assert_eq!(asked, Err("csrf.origin"));
    Ok(())
}

#[tokio::test]
async fn without_a_proof_there_is_nobody() -> Outcome {
    let (bench, _provider) = Bench::with_provider().await?;
    for (headers, reason) in [
        (vec![], "login.needed"),
        (vec![("authorization", "Basic YTpi")], "login.scheme"),
        (
            vec![("authorization", "Bearer x"), ("authorization", "Bearer y")],
            "login.scheme",
        ),
        (vec![("authorization", "Bearer nonsense")], "login.token"),
        (
            vec![(
                "authorization",
                "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            )],
            "login.token",
        ),
        (vec![("authorization", "Bearer a.b.c")], "token-malformed"),
        (
            vec![(
                "cookie",
                "__Host-locum-portal=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            )],
            "login.needed",
        ),
    ] {
        let found = bench.identity.caller(&parts(Method::GET, &headers)?).await;
        assert_eq!(
            found.map(|it| it.person).map_err(|it| it.reason),
            Err(reason),
            "{headers:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_groups_give_is_looked_up_at_each_use() -> Outcome {
    let (bench, provider) = Bench::with_provider().await?;
    let mut browser = Browser::new(&bench);
    browser.sign_in(&provider, "").await?;
    assert!(
        browser
            .visit()
            .await?
            .is_some_and(|it| it.caller.is(Role::Operator))
    );
    let human = crate::control::identity::HumanSettings::Oidc(Box::new(super::bench::oidc(
        provider.issuer(),
    )));
    let mut settings = super::bench::settings(human);
    settings.roles.clear();
    let prepared = crate::control::identity::Identity::prepare(settings);
    bench
        .identity
        .put(prepared.map_err(|it| format!("{it:?}"))?);
    let caller = browser.visit().await?.ok_or("still signed in")?.caller;
    assert_eq!(caller.seats, []);
    Ok(())
}
