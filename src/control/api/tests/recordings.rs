//! Recordings over the API: who may hold, release and erase, that an erasing takes two people, and that all is on record.

use super::fixture::{Answered, MINUTE, Stage, person};
use super::things;
use crate::model::{Caller, EndCause, Ended, OperatorKind, Role, SessionId, Timestamp};
use crate::store::Target;
use serde_json::{Value, json};

fn security(name: &str) -> Caller {
    person(name, &[(Role::Security, "acme")])
}

fn because() -> Value {
    json!({"reason": "The customer asked, case 812"})
}

fn verdict(word: &str) -> Value {
    json!({"verdict": word, "reason": "Case 812"})
}

#[track_caller]
fn refused(case: &str, answer: &Answered, status: u16, reason: &str) {
    let found = (answer.status.as_u16(), answer.reason());
    assert_eq!(
        found,
        (status, reason.to_owned()),
        "{case}: {}",
        answer.text
    );
}

/// A recording of a session that is over.
fn recorded(stage: &Stage) -> SessionId {
    let session = things::session(stage);
    stage.record(session);
    let ended = Ended {
        cause: EndCause::Operator,
        at: stage.control.now(),
        by: "ada".to_owned(),
    };
    stage.put(|tx| tx.revoke(&Target::Session(session), &ended));
    session
}

fn codes(stage: &Stage) -> Vec<String> {
    let mut all: Vec<String> = stage
        .happened(100)
        .into_iter()
        .map(|it| it.happened.code)
        .filter(|code| code.starts_with("recording.") || code == "control.refused")
        .collect();
    all.reverse();
    all
}

#[tokio::test]
async fn an_erasing_takes_two_people_and_destroys_the_key() {
    let stage = Stage::new();
    let id = recorded(&stage);
    let path = format!("/api/v1/recordings/{id}");
    let (erase, votes) = (format!("{path}/erase"), format!("{path}/erase/votes"));
    let (sam, sue) = (security("sam"), security("sue"));
    let answer = stage.post(&sue, &votes, &verdict("approve")).await;
    refused("nobody asked", &answer, 409, "erasure.not-asked");
    let seen = stage.get(&sam, &path).await;
    let etag = seen.header("etag").to_owned();
    assert_eq!(seen.json()["state"], "kept", "{}", seen.text);
    let asked = stage
        .post_with(&sam, &erase, &[("if-match", &etag)], &because())
        .await;
    assert_eq!(asked.json()["state"], "asked", "{}", asked.text);
    let by = &asked.json()["erasure"]["by"];
    assert_eq!(by, "sam@support.example");
    let answer = stage.post(&sue, &erase, &because()).await;
    refused("asked twice", &answer, 409, "erasure.asked");
    let stale = [("if-match", etag.as_str())];
    let answer = stage
        .post_with(&sue, &votes, &stale, &verdict("approve"))
        .await;
    refused("on what it was before", &answer, 412, "stale");
    let answer = stage.post(&sam, &votes, &verdict("approve")).await;
    refused("the one who asked", &answer, 403, "duty.requester");
    let mut twin = security("sam2");
    twin.account = sam.account.clone();
    let answer = stage.post(&twin, &votes, &verdict("approve")).await;
    refused("by the same account", &answer, 403, "duty.requester");
    let mut tired = sue.clone();
    tired.proof.at = Timestamp::from_millis(0);
    let answer = stage.post(&tired, &votes, &verdict("approve")).await;
    refused("signed in long ago", &answer, 401, "step-up.stale");
    let asked = asked.header("etag").to_owned();
    let current = [("if-match", asked.as_str())];
    let done = stage
        .post_with(&sue, &votes, &current, &verdict("approve"))
        .await;
    assert_eq!(done.json()["state"], "erased", "{}", done.text);
    assert_eq!(done.json()["bytes"], 0, "{}", done.text);
    let erased = &done.json()["erased"];
    assert_eq!(erased["agreed_by"], "sue@support.example");
    let again = stage.post(&sam, &erase, &because()).await;
    refused("erased", &again, 409, "recording.erased");
    let refusals = codes(&stage);
    let refusals = refusals.iter().filter(|it| *it == "control.refused");
    assert_eq!(refusals.count(), 7, "each is on record");
    let told = codes(&stage);
    let told: Vec<_> = told.iter().filter(|it| it.starts_with("rec")).collect();
    assert_eq!(told, ["recording.erasure-asked", "recording.erased"]);
}

#[tokio::test]
async fn who_may_not_ask_for_an_erasing_or_place_a_hold() {
    let stage = Stage::new();
    let id = recorded(&stage);
    let path = format!("/api/v1/recordings/{id}/erase");
    let hold = json!({"key": format!("session:{id}"), "reason": "Case 7"});
    let with = |change: fn(&mut Caller)| {
        let mut caller = security("x");
        change(&mut caller);
        caller
    };
    let no = "duty.not-security";
    let cases = [
        (
            "an auditor",
            person("eve", &[(Role::Auditor, "*")]),
            403,
            no,
        ),
        (
            "a workload",
            with(|it| it.kind = OperatorKind::Workload),
            403,
            no,
        ),
        (
            "who was recorded",
            with(|it| it.person = "ADA".to_owned()),
            403,
            "duty.recorded",
        ),
        (
            "whose account it was",
            with(|it| it.person = "jane".to_owned()),
            403,
            "duty.recorded",
        ),
    ];
    for (case, caller, status, reason) in cases {
        let answer = stage.post(&caller, &path, &because()).await;
        refused(case, &answer, status, reason);
        let answer = stage.post(&caller, "/api/v1/holds", &hold).await;
        refused(case, &answer, status, reason);
    }
    let admin = person("root", &[(Role::Admin, "*")]);
    let answer = stage.post(&admin, &path, &because()).await;
    refused("who may not know of it", &answer, 404, "not-found");
    let sam = security("sam");
    for key in ["subject:jane", "tenant:globex", "all"] {
        let wide = json!({"key": key, "reason": "Case 7"});
        let answer = stage.post(&sam, "/api/v1/holds", &wide).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 403 | 422), "{key}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_hold_comes_before_an_erasing_and_before_an_agreement() {
    let stage = Stage::new();
    let id = recorded(&stage);
    let path = format!("/api/v1/recordings/{id}");
    let (sam, sue) = (security("sam"), security("sue"));
    let erase = stage.post(&sam, &format!("{path}/erase"), &because()).await;
    assert_eq!(erase.status, 200, "{}", erase.text);
    let hold = json!({"key": "tenant:acme", "reason": "Case 7"});
    let key = [("idempotency-key", "hold-1")];
    let placed = stage.post_with(&sue, "/api/v1/holds", &key, &hold).await;
    assert_eq!(placed.status, 201, "{}", placed.text);
    let again = stage.post_with(&sue, "/api/v1/holds", &key, &hold).await;
    assert_eq!(again.text, placed.text, "one hold for one key");
    let votes = format!("{path}/erase/votes");
    let answer = stage.post(&sue, &votes, &verdict("approve")).await;
    refused("held", &answer, 409, "recording.held");
    let held = stage.get(&sam, "/api/v1/recordings?state=held").await;
    assert_eq!(held.json()["items"][0]["session"], id.to_string());
    let denied = stage.post(&sue, &votes, &verdict("deny")).await;
    assert_eq!(denied.json()["erasure"], Value::Null, "{}", denied.text);
    let hold = placed.json()["id"].as_str().unwrap_or_default().to_owned();
    let release = format!("/api/v1/holds/{hold}/release");
    let auditor = person("eve", &[(Role::Auditor, "*")]);
    let answer = stage.post(&auditor, &release, &because()).await;
    refused("an auditor", &answer, 403, "duty.not-security");
    let released = stage.post(&sam, &release, &because()).await;
    assert_eq!(released.json()["key"], "tenant:acme", "{}", released.text);
    let answer = stage.post(&sam, &release, &because()).await;
    refused("released", &answer, 404, "not-found");
    let told = codes(&stage);
    let told: Vec<_> = told.iter().filter(|it| it.starts_with("rec")).collect();
    let want = [
        "recording.erasure-asked",
        "recording.held",
        "recording.erasure-refused",
        "recording.released",
    ];
    assert_eq!(told, want);
}

#[tokio::test]
async fn what_is_asked_for_is_void_after_a_week_and_nothing_live_is_erased() {
    let stage = Stage::new();
    let (live, id) = (things::session(&stage), recorded(&stage));
    stage.record(live);
    let (sam, sue) = (security("sam"), security("sue"));
    let path = |id| format!("/api/v1/recordings/{id}/erase");
    let answer = stage.post(&sam, &path(live), &because()).await;
    refused("live", &answer, 409, "recording.live");
    let asked = stage.post(&sam, &path(id), &because()).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    stage.pass(MINUTE * 60 * 24 * 7);
    let votes = format!("{}/votes", path(id));
    let answer = stage.post(&sue, &votes, &verdict("approve")).await;
    refused("too late", &answer, 409, "erasure.not-asked");
    let page = stage.get(&sue, "/api/v1/recordings?limit=1").await;
    let next = page.json()["next"].as_str().unwrap_or_default().to_owned();
    let rest = format!("/api/v1/recordings?limit=1&after={next}");
    let rest = stage.get(&sue, &rest).await;
    assert_eq!(rest.json()["next"], Value::Null, "{}", rest.text);
    let (first, last) = (&page.json()["items"][0], &rest.json()["items"][0]);
    assert_ne!(first["session"], last["session"]);
}
