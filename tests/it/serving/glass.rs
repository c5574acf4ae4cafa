//! Break-glass: wider, louder, and still never what is marked so.

use super::sessions::refused;
use crate::support::locum::{Locum, POLICY, Plan};
use crate::support::upstream::Upstream;

const ROWS: &str = r#"
[scopes]
view = ["page"]
emergency = ["page", "ledger", "door"]

[[rows]]
id = "ledger"
match = "POST /ledger"
action = "ledger"
effect = "allow"
never = true

[[rows]]
id = "door"
match = "POST /door"
action = "door"
effect = "allow"
break_glass = true

[[rows]]
id = "vault"
match = "POST /vault/{*rest}"
action = "door"
effect = "allow"
break_glass = true

[[rows]]
id = "no-outer"
match = "POST /vault/outer"
action = "vault"
effect = "deny"

[[rows]]
id = "no-inner"
match = "POST /vault/inner"
action = "vault"
effect = "deny"
never = true
"#;

#[tokio::test]
async fn what_is_marked_never_is_refused_in_an_emergency_too() {
    let app = Upstream::start(|_, wire| {
        Box::pin(wire.ok(
            "Content-Type: text/html\r\n",
            "<html><body>seen</body></html>",
        ))
    })
    .await;
    let mut plan = Plan::new(&app.address);
    plan.policy = POLICY.replace("\n[scopes]\nview = [\"page\"]\n", ROWS);
    let locum = Locum::start(&plan).await;
    let emergency = ["--scope", "emergency"];
    let glass = locum
        .agent_with(&[&emergency[..], &["--break-glass"]].concat())
        .await;
    let ordinary = locum.agent_with(&emergency).await;
    // What is for emergencies opens in one, and only in one.
    assert_eq!(
        locum.ask(&glass, &glass.post("/door", "", "")).await.status,
        200
    );
    assert_eq!(
        locum
            .ask(&ordinary, &ordinary.post("/door", "", ""))
            .await
            .status,
        403
    );
    // What is never for emergencies opens to an ordinary grant with the scope, and only to one.
    assert_eq!(
        locum
            .ask(&ordinary, &ordinary.post("/ledger", "", ""))
            .await
            .status,
        200
    );
    // An emergency lifts a denial, but not one that is never lifted.
    assert_eq!(
        locum
            .ask(&glass, &glass.post("/vault/outer", "", ""))
            .await
            .status,
        200
    );
    for (target, rule) in [("/ledger", "ledger"), ("/vault/inner", "no-inner")] {
        let before = app.saw(target);
        let answer = locum.ask(&glass, &glass.post(target, "", "")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "policy"),
            "{target}"
        );
        assert_eq!(answer.json()["rule"], rule, "{answer:?}");
        assert_eq!(app.saw(target), before);
    }
    let record = locum
        .record(|one| refused(one, "policy") && one["locum"]["rule"] == "no-inner")
        .await;
    assert_eq!(record["locum"]["break_glass"], true, "{record}");
}

#[tokio::test]
async fn the_banner_says_that_everything_is_recorded() {
    let app = Upstream::start(|_, wire| {
        Box::pin(wire.ok(
            "Content-Type: text/html\r\n",
            "<html><body>seen</body></html>",
        ))
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let glass = locum.agent_with(&["--break-glass"]).await;
    let page = "Sec-Fetch-Dest: document\r\nAccept: text/html\r\n";
    let shown = locum
        .ask(&glass, &glass.request("GET", "/page", page))
        .await
        .text();
    assert!(
        shown.contains("locum-plain glass") && shown.contains("everything is recorded"),
        "{shown}"
    );
    let why = locum
        .ask(&glass, &glass.request("GET", "/.locum/session", page))
        .await
        .text();
    assert!(
        why.to_lowercase().contains("break-glass") && why.contains("recorded"),
        "{why}"
    );
    let ordinary = locum.agent().await;
    let shown = locum
        .ask(&ordinary, &ordinary.request("GET", "/page", page))
        .await
        .text();
    assert!(!shown.contains("locum-plain glass"), "{shown}");
}
