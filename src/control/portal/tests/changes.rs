//! Changes of Locum's own rules at the portal: whom they are shown to, and whose vote counts.

use super::stage::{MINUTE, Stage, person};
use crate::control::changes::{Cause, Rules, offer, take};
use crate::model::{Change, ChangeState, Manifest, Role};
use crate::store::control::Query;
use http::StatusCode;

fn rules(row: &str) -> Rules {
    let mut manifest = Manifest::default();
    manifest.put("route-policy", "orders.read", row);
    Rules {
        manifest,
        votes: 2,
        authors: vec!["hal@support.example".into()],
        ttl: MINUTE * 60,
    }
}

/// A portal where other rules wait.
fn waiting() -> (Stage, Change) {
    let stage = Stage::new();
    let (book, now) = (&stage.control.book, stage.control.now());
    take(book, &rules("allow GET /orders"), None, now).expect("in force");
    offer(book, &rules("allow * /**"), Cause::Told, now).expect("it waits");
    let change = stored(&stage);
    (stage, change)
}

fn stored(stage: &Stage) -> Change {
    let page = stage.put(|tx| tx.list::<Change>(&Query::default()));
    page.items.into_iter().next().expect("a change")
}

#[tokio::test]
async fn a_change_is_shown_to_those_who_may_know_and_answered_by_those_who_may() {
    let (stage, change) = waiting();
    let path = format!("/policy/changes/{}", change.id);
    let (sam, max) = (
        person("sam", &[(Role::Security, "*")]),
        person("max", &[(Role::Admin, "*")]),
    );
    let policy = stage.get(&sam, "/policy").await;
    policy.shows("Changes that wait");
    policy.shows(&path);
    let seen = stage.get(&sam, &path).await;
    seen.shows("allow GET /orders → allow * /**");
    seen.shows("One other person must agree as well.");
    let digest = change.digest.as_str();
    let blank = [("digest", digest), ("verdict", "deny")];
    let refused = stage.post(&sam, &path, &blank).await;
    assert_eq!(refused.reasons(), ["vote.reason"]);
    let old = "0".repeat(64);
    let other = [("digest", old.as_str()), ("verdict", "approve")];
    assert_eq!(
        stage.post(&sam, &path, &other).await.reasons(),
        ["vote.changed"]
    );
    let yes = [("digest", digest), ("verdict", "approve")];
    assert_eq!(
        stage.post(&sam, &path, &yes).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        stage.post(&sam, &path, &yes).await.reasons(),
        ["duty.twice"]
    );
    stage
        .get(&sam, &path)
        .await
        .shows("data-reason=\"duty.twice\"");
    let author = person("hal", &[(Role::Security, "*")]);
    assert_eq!(
        stage.post(&author, &path, &yes).await.reasons(),
        ["duty.author"]
    );
    let auditor = person("una", &[(Role::Auditor, "*")]);
    stage
        .get(&auditor, &path)
        .await
        .shows("data-reason=\"duty.not-security\"");
    assert_eq!(
        stage.post(&max, &path, &yes).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(stored(&stage).state, ChangeState::Agreed);
    stage.get(&sam, "/policy").await.shows("Agreed");
}

#[tokio::test]
async fn whoever_sees_one_customer_only_sees_no_change() {
    let (stage, change) = waiting();
    let path = format!("/policy/changes/{}", change.id);
    let yes = [("digest", change.digest.as_str()), ("verdict", "approve")];
    for role in Role::ALL {
        let stranger = person("eve", &[(role, "acme")]);
        let seen = stage.get(&stranger, &path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{role:?}");
        seen.hides("/orders");
        let voted = stage.post(&stranger, &path, &yes).await;
        assert_eq!(voted.status, StatusCode::NOT_FOUND, "{role:?}");
        stage
            .get(&stranger, "/policy")
            .await
            .hides("Changes that wait");
    }
    assert_eq!(stored(&stage).votes, []);
}
