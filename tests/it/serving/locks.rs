//! Locks: under one no start link works, no signed grant is admitted and no grant is issued, until it is lifted.

use super::external::{Issuer, SNI, bearer, start};
use super::sessions::refused;
use crate::support::locum::{Locum, Plan};
use crate::support::upstream::Upstream;
use locum::model::{Lock, LockId, LockKey, Timestamp};
use locum::store::StoreError;

/// Puts a lock that ends nothing by itself: what waits to start is what is looked at.
fn lock(locum: &Locum, key: LockKey) -> Lock {
    let mut lock = Lock {
        id: LockId::fresh(),
        key,
        reason: "test".to_owned(),
        by: "sam@support.example".to_owned(),
        at: Timestamp::now(),
        until: None,
        lifted_at: None,
        lifted_by: None,
        version: 0,
    };
    let done = locum
        .book()
        .write::<_, StoreError>("locking", |tx| tx.insert(&mut lock));
    done.unwrap();
    lock
}

fn lift(locum: &Locum, mut lock: Lock) {
    lock.lifted_at = Some(Timestamp::now());
    lock.lifted_by = Some(lock.by.clone());
    let done = locum
        .book()
        .write::<_, StoreError>("lifting", |tx| tx.update(&mut lock));
    done.unwrap();
}

fn keys() -> Vec<LockKey> {
    vec![
        LockKey::All,
        LockKey::Operator("ada@support.example".to_owned()),
        LockKey::Subject("kim".to_owned()),
        LockKey::Tenant("acme".to_owned()),
        LockKey::Ticket("SUP-7".to_owned()),
        LockKey::App("shop".to_owned()),
    ]
}

#[tokio::test]
async fn no_start_link_works_under_a_lock() {
    let app = Upstream::plain().await;
    let plan = Plan::new(&app.address).rest("[grants]\ncode_ttl = \"5m\"\n");
    let locum = Locum::start(&plan).await;
    let issued = locum.issue(&["--ticket", "SUP-7"]);
    let mut all = keys();
    all.push(LockKey::Session(issued.session.clone()));
    for key in all {
        let held = lock(&locum, key.clone());
        let answer = locum.redeem(&issued).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "locked"),
            "{key}"
        );
        assert!(answer.text().contains(key.kind()), "{key}: {answer:?}");
        assert_eq!(answer.field("set-cookie"), "", "{key}");
        lift(&locum, held);
    }
    let record = locum.record(|one| refused(one, "locked")).await;
    assert_eq!(
        record["locum"]["session"],
        issued.session.as_str(),
        "{record}"
    );
    // A lock on others is none of its business, and the code was not spent by the refusals.
    lock(&locum, LockKey::Tenant("other".to_owned()));
    assert_eq!(locum.redeem(&issued).await.status, 303);
}

#[tokio::test]
async fn no_signed_grant_is_admitted_under_a_lock() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().unwrap();
    let (app, locum) = start(&issuer, &dir).await;
    let mut conn = locum.connect(SNI).await;
    for (n, key) in keys().into_iter().enumerate() {
        let token = issuer.token(&format!("locked{n}"), |_| ());
        let held = lock(&locum, key.clone());
        let answer = conn.ask(&bearer(&locum, "/locked", &token)).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "locked"),
            "{key}"
        );
        lift(&locum, held);
        assert_eq!(
            conn.ask(&bearer(&locum, "/open", &token)).await.status,
            200,
            "{key}"
        );
    }
    assert_eq!((app.saw("/locked"), app.saw("/open")), (0, keys().len()));
}

#[tokio::test]
async fn the_admins_tool_issues_nothing_under_a_lock() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let held = lock(&locum, LockKey::Tenant("acme".to_owned()));
    let issue = [
        "grant",
        "issue",
        "--app",
        "shop",
        "--operator",
        "ada@support.example",
        "--subject",
        "kim",
        "--tenant",
        "acme",
        "--scope",
        "view",
        "--ticket",
        "SUP-1",
        "--reason",
        "test",
    ];
    let done = locum.command(&issue);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("tenant:acme"),
        "{said}"
    );
    lift(&locum, held);
    assert!(locum.command(&issue).status.success());
    let issued = |one: &serde_json::Value| one["metadata"]["event_code"] == "grant.issued";
    let record = locum.record(issued).await;
    let by = record["locum"]["by"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(by.starts_with("cli:"), "{record}");
    // The refused one left nothing behind.
    assert_eq!(locum.records().into_iter().filter(issued).count(), 1);
}
