//! The Evidence page: what each person finds, one record, and the file.

use super::stage::{Stage, person};
use crate::model::{Happened, Role};
use http::StatusCode;

/// A request of acme's that was denied, somebody who looked where they may not, and a step in globex.
async fn stage() -> Stage {
    let stage = Stage::new();
    let asked = stage.asked();
    let bo = person("bo", &[(Role::Approver, "*")]);
    let digest = asked.digest();
    let fields = [
        ("digest", digest.as_str()),
        ("verdict", "deny"),
        ("reason", "Not on a Friday"),
    ];
    let path = format!("/approvals/{}", asked.id);
    stage.post(&bo, &path, &fields).await;
    stage.get(&bo, "/evidence").await;
    let globex = Happened {
        tenant: Some("globex".to_owned()),
        ..Happened::new("consent.given", "lee@globex.example")
    };
    stage.put(|tx| tx.note(globex, stage.control.now()));
    stage.archive.take(&stage.control);
    stage
}

#[tokio::test]
async fn records_are_found_by_kind_words_and_conditions() {
    let stage = stage().await;
    let una = person("una", &[(Role::Auditor, "*")]);
    let all = stage.get(&una, "/evidence").await;
    all.shows("did not agree");
    all.shows("<span class=\"wrong\">was refused");
    all.shows("Locum started");
    let votes = stage.get(&una, "/evidence?event=vote").await;
    votes.shows("Not on a Friday");
    votes.shows("<option value=\"vote\" selected>");
    votes.hides("<span class=\"wrong\">was refused");
    let words = stage
        .get(&una, "/evidence?words=not+frid*&tenant=acme")
        .await;
    words.shows("Not on a Friday");
    words.shows("<details class=\"more\" open>");
    words.shows("/evidence/export?tenant=acme&#38;words=not+frid*");
    let none = stage.get(&una, "/evidence?words=nobody-like-that").await;
    none.shows("Nothing like that");
    let oldest = stage.get(&una, "/evidence?order=oldest").await;
    let place = |words: &str| oldest.text.find(words).expect("it is there");
    assert!(place("Locum started") < place("did not agree"));
    let past = stage.get(&una, "/evidence?to=2020-01-01").await;
    past.shows("Nothing like that");
    for (path, field) in [("words=or*", "words"), ("from=yesterday", "from")] {
        let wrong = stage.get(&una, &format!("/evidence?{path}")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        wrong.shows("One field needs another look.");
    }
}

#[tokio::test]
async fn a_customers_auditor_finds_their_own_alone() {
    let stage = stage().await;
    let tia = person("tia", &[(Role::TenantAuditor, "globex")]);
    let seen = stage.get(&tia, "/evidence").await;
    seen.shows("the customer consented");
    seen.hides("acme");
    seen.hides("Locum started");
    let file = stage.get(&tia, "/evidence/export?format=csv").await;
    assert!(file.header("content-disposition").starts_with("attachment"));
    file.shows("consent.given");
    file.shows("# 1 records; all");
    file.hides("acme");
    let una = person("una", &[(Role::Auditor, "*")]);
    let whole = stage.get(&una, "/evidence/1").await;
    whole.shows("process.started");
    whole.shows("The line fits its own hash");
    for path in ["/evidence/1", "/evidence/2", "/evidence/999", "/evidence/0"] {
        let seen = stage.get(&tia, path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn every_look_is_on_record_before_its_answer() {
    let stage = stage().await;
    let una = person("una", &[(Role::Auditor, "*")]);
    stage.get(&una, "/evidence?words=friday").await;
    stage.get(&una, "/evidence/1").await;
    stage.get(&una, "/evidence/export?event=vote").await;
    let noted = stage.happened();
    let told = noted
        .iter()
        .rev()
        .filter(|it| it.happened.code.starts_with("records."));
    let told: Vec<String> = told
        .map(|it| format!("{} {}", it.happened.code, it.happened.details[0].1))
        .collect();
    assert_eq!(
        told,
        [
            "records.searched text=friday",
            "records.searched sequence=1",
            "records.exported event=vote"
        ]
    );
}
