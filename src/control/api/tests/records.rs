//! Searching the records: each caller finds what their seats reach, within bounds, and it is on record.

use super::fixture::{Stage, person};
use crate::control::evidence::Format;
use crate::control::refusal::Kind;
use crate::model::{Caller, Happened, Reach, Role};
use futures_util::StreamExt as _;
use http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

fn step(tenant: &str, app: &str, nth: usize) -> Happened {
    Happened {
        tenant: Some(tenant.to_owned()),
        app: Some(app.to_owned()),
        subject: Some(format!("kim@{tenant}.example")),
        ..Happened::new("vote.approve", "bo@support.example")
    }
    .with("reason", format!("=zebra {nth}"))
}

/// Twelve steps of acme, five of globex in each of two apps.
fn stage() -> Stage {
    let stage = Stage::new();
    for nth in 0..12 {
        stage.archive.add(&step("acme", "shop", nth));
    }
    for nth in 0..10 {
        let app = if nth % 2 == 0 { "shop" } else { "docs" };
        stage.archive.add(&step("globex", app, nth));
    }
    stage
}

fn sequences(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().into_iter().flatten();
    items.filter_map(|it| it["seq"].as_u64()).collect()
}

async fn found(stage: &Stage, who: &Caller, query: &str) -> usize {
    let answer = stage.get(who, &format!("/api/v1/records?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    sequences(&answer.json()).len()
}

#[tokio::test]
async fn each_caller_finds_what_their_seats_reach() {
    let stage = stage();
    let votes = "event=vote&limit=200";
    for (role, tenants, count) in [
        (Role::Auditor, "*", 22),
        (Role::Security, "acme", 12),
        (Role::TenantAuditor, "acme", 12),
        (Role::TenantAuditor, "globex", 10),
        (Role::TenantAuditor, "ACME", 0),
        (Role::Admin, "acme globex", 22),
    ] {
        let who = person("una", &[(role, tenants)]);
        assert_eq!(
            found(&stage, &who, votes).await,
            count,
            "{role:?} {tenants}"
        );
    }
    let mara = person("mara", &[(Role::TenantAuditor, "acme")]);
    assert_eq!(found(&stage, &mara, "tenant=globex").await, 0);
    assert_eq!(found(&stage, &mara, "text=globex").await, 0);
    assert_eq!(
        found(&stage, &mara, "event=process").await,
        0,
        "what is nobody's is not theirs"
    );
    let mut docs = person("dana", &[(Role::Auditor, "*")]);
    docs.seats[0].apps = Reach::Only(vec!["docs".to_owned()]);
    assert_eq!(found(&stage, &docs, votes).await, 5);
    for role in [Role::Operator, Role::Approver, Role::BreakGlass] {
        let who = person("ada", &[(role, "*")]);
        for path in ["/api/v1/records", "/api/v1/records/export"] {
            let answer = stage.get(&who, path).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role:?}");
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_every_search_is_on_record() {
    let stage = stage();
    let una = person("una", &[(Role::Auditor, "*")]);
    let (mut seen, mut next) = (Vec::new(), String::new());
    for _ in 0..10 {
        let path = format!("/api/v1/records?tenant=globex&order=oldest&limit=3{next}");
        let answer = stage.get(&una, &path).await.json();
        seen.extend(sequences(&answer));
        let Some(after) = answer["next"].as_u64() else {
            break;
        };
        next = format!("&after={after}");
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted());
    let noted = stage.happened(100);
    let looks = noted
        .iter()
        .filter(|it| it.happened.code == "records.searched");
    assert_eq!(looks.count(), 4);
    let said = &noted
        .iter()
        .find(|it| it.happened.code == "records.searched");
    let details = &said.expect("a look").happened.details;
    assert!(
        details.contains(&(
            "query".into(),
            format!("tenant=globex, oldest first, after={}", seen[8])
        )),
        "{details:?}"
    );
    assert!(details.contains(&("records".into(), "1".into())));
}

#[tokio::test]
async fn an_export_is_whole_and_says_so() {
    let stage = stage();
    let mara = person("mara", &[(Role::TenantAuditor, "acme")]);
    let lines = stage.get(&mara, "/api/v1/records/export?event=vote").await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    let all: Vec<&str> = lines.text.lines().collect();
    assert_eq!(all.len(), 13);
    assert!(
        all[..12]
            .iter()
            .all(|it| it.contains("\"tenant_id\":\"acme\"") && it.contains("\"hash\""))
    );
    assert_eq!(
        all[12],
        r#"{"export":{"records":12,"complete":true,"not_as_indexed":[]}}"#
    );
    let table = stage
        .get(&mara, "/api/v1/records/export?event=vote&format=csv")
        .await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8");
    assert!(table.text.starts_with("sequence,time,event,operator,"));
    assert!(
        table.text.ends_with("# 12 records; all\r\n"),
        "{}",
        table.text
    );
    assert!(!table.text.contains("globex"));
    let noted = stage.happened(100);
    let exports = noted
        .iter()
        .filter(|it| it.happened.code == "records.exported");
    assert_eq!(exports.count(), 2);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_its_field() {
    let stage = stage();
    let una = person("una", &[(Role::Auditor, "*")]);
    for (query, status) in [
        ("text=or*", 422),
        ("text=-", 422),
        ("planet=mars", 400),
        ("limit=201", 400),
        ("order=sideways", 400),
        ("from=yesterday", 400),
        ("operator=", 400),
    ] {
        let answer = stage.get(&una, &format!("/api/v1/records?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text);
    }
    let answer = stage.get(&una, "/api/v1/records?text=or*").await.json();
    assert_eq!(answer["problems"][0]["field"], "text");
}

#[tokio::test]
async fn searches_are_bounded_in_number_time_and_size() {
    let stage = stage();
    let una = person("una", &[(Role::Auditor, "*")]);
    let hits = |limit: &str| {
        let line = format!("locum_limit_hits_total{{limit=\"{limit}\"}} 1");
        stage.metrics.expose().contains(&line)
    };
    let evidence = |change: &dyn Fn(&mut crate::control::evidence::Settings)| {
        stage
            .archive
            .bounded(|it| change(it), Arc::clone(&stage.metrics))
    };
    // One export that is not read to its end holds the one permit.
    let one = evidence(&|it| it.max_searches = 1);
    let query = crate::audit::index::Query::default;
    let held = Arc::clone(&one)
        .export(&stage.control, &una, query(), Format::Lines)
        .await;
    let held = held.expect("an export");
    let refused = one.find(&stage.control, &una, query()).await;
    assert_eq!(refused.expect_err("one at a time").reason, "records.busy");
    assert!(hits("Searches"));
    drop(held);
    assert!(one.find(&stage.control, &una, query()).await.is_ok());
    let short = evidence(&|it| it.max_export = 5);
    let file = short
        .export(&stage.control, &una, query(), Format::Lines)
        .await;
    let parts: Vec<_> = file.expect("an export").collect().await;
    let text: Vec<u8> = parts
        .into_iter()
        .flat_map(|it| it.expect("a part").to_vec())
        .collect();
    let text = String::from_utf8(text).expect("a text");
    assert_eq!(text.lines().count(), 6);
    assert!(
        text.ends_with("{\"export\":{\"records\":5,\"complete\":false,\"not_as_indexed\":[]}}\n"),
        "{text}"
    );
    assert!(hits("ExportRecords"));
    let off = evidence(&|it| it.index = None);
    let refused = off
        .find(&stage.control, &una, query())
        .await
        .expect_err("it is off");
    assert_eq!(
        (refused.kind, refused.reason),
        (Kind::Unavailable, "records.off")
    );
}

#[test]
fn a_search_that_takes_too_long_is_stopped() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let stage = stage();
        let una = person("una", &[(Role::Auditor, "*")]);
        let hasty = stage.archive.bounded(
            |it| it.timeout = Duration::from_millis(20),
            Arc::clone(&stage.metrics),
        );
        // The only thread that could search does something else.
        let busy = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(200)));
        let refused = hasty.find(&stage.control, &una, crate::audit::index::Query::default());
        assert_eq!(
            refused.await.expect_err("no time").reason,
            "records.too-slow"
        );
        let line = "locum_limit_hits_total{limit=\"SearchTimeout\"} 1";
        assert!(stage.metrics.expose().contains(line));
        busy.await.expect("it ends");
    });
}

#[tokio::test]
async fn a_damaged_index_is_taken_away_and_comes_back() {
    let stage = stage();
    let una = person("una", &[(Role::Auditor, "*")]);
    let mut path = None;
    let evidence = stage.archive.bounded(
        |it| path = it.index.as_ref().map(|it| it.path.clone()),
        Arc::clone(&stage.metrics),
    );
    let path = path.expect("an index");
    std::fs::write(
        &path,
        "no database at all, and long enough to be read as one",
    )
    .expect("write");
    for _ in 0..2 {
        let refused = evidence.find(&stage.control, &una, crate::audit::index::Query::default());
        assert_eq!(
            refused.await.expect_err("damaged").reason,
            "records.no-index"
        );
        assert!(!path.exists());
    }
    stage.archive.index();
    assert_eq!(found(&stage, &una, "event=vote&limit=200").await, 22);
}
