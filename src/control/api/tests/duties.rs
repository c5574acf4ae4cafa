//! Separation of duties over the API: each forbidden pair of steps is refused with a reason of its own.

use super::fixture::{Answered, MINUTE, Stage, person};
use super::things;
use crate::model::{AccessRequest, Caller, OperatorKind, Role, Timestamp};
use serde_json::{Value, json};

fn ada() -> Caller {
    person("ada", &[(Role::Operator, "*"), (Role::BreakGlass, "*")])
}

fn approver(name: &str) -> Caller {
    person(name, &[(Role::Approver, "*")])
}

fn yes(request: &AccessRequest) -> Value {
    json!({"digest": request.digest(), "verdict": "approve"})
}

#[track_caller]
fn refused(case: &str, answer: &Answered, status: u16, reason: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.reason().as_str()),
        (status, reason),
        "{case}: {}",
        answer.text
    );
    let media = answer.header("content-type");
    assert_eq!(media, "application/problem+json", "{case}");
}

#[tokio::test]
async fn who_may_not_vote() {
    let stage = Stage::new();
    let with = |name, change: fn(&mut Caller)| {
        let mut caller = approver(name);
        change(&mut caller);
        caller
    };
    let cases = [
        ("the requester", approver("ada"), 403, "duty.requester"),
        (
            "the requester by another spelling",
            with("x", |it| it.person = "ADA@support.example".to_owned()),
            403,
            "duty.requester",
        ),
        (
            "the requester's account under another person",
            with("x", |it| it.account = "https://id.example|ada".to_owned()),
            403,
            "duty.requester",
        ),
        (
            "the subject",
            with("x", |it| it.person = "kim@acme.example".to_owned()),
            403,
            "duty.subject",
        ),
        (
            "a workload with an approver's seat",
            with("robot", |it| it.kind = OperatorKind::Workload),
            403,
            "duty.workload-votes",
        ),
        (
            "an auditor",
            person("eve", &[(Role::Auditor, "*")]),
            403,
            "duty.not-approver",
        ),
        (
            "another tenant's approver who sees this tenant",
            person(
                "eve",
                &[(Role::Approver, "globex"), (Role::Auditor, "acme")],
            ),
            403,
            "duty.other-tenant",
        ),
        (
            "another tenant's approver",
            person("eve", &[(Role::Approver, "globex")]),
            404,
            "not-found",
        ),
    ];
    let request = things::request(&stage);
    let path = format!("/api/v1/requests/{}/votes", request.id);
    for (case, caller, status, reason) in cases {
        let answer = stage.post(&caller, &path, &yes(&request)).await;
        refused(case, &answer, status, reason);
    }
    let refusals = stage.happened(100);
    let refusals = refusals
        .iter()
        .filter(|it| it.happened.code == "control.refused");
    assert_eq!(refusals.count(), 8, "each is on record");
}

#[tokio::test]
async fn how_a_vote_may_not_be() {
    let stage = Stage::new();
    let request = things::request(&stage);
    let path = format!("/api/v1/requests/{}/votes", request.id);
    let silent = json!({"digest": request.digest(), "verdict": "deny"});
    let answer = stage.post(&approver("bo"), &path, &silent).await;
    refused("a denial without a reason", &answer, 422, "vote.reason");
    let stale = json!({"digest": "0".repeat(64), "verdict": "approve"});
    let answer = stage.post(&approver("bo"), &path, &stale).await;
    refused("a vote on something else", &answer, 412, "vote.changed");

    let mut two = things::request(&stage);
    two.needs.approvals = 2;
    stage.put(|tx| tx.update(&mut two));
    let path = format!("/api/v1/requests/{}/votes", two.id);
    let answer = stage.post(&approver("bo"), &path, &yes(&two)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["state"], "pending");
    let mut again = approver("bo");
    again.account = "https://other.example|bo-admin".to_owned();
    let answer = stage.post(&again, &path, &yes(&two)).await;
    refused("one person with two accounts", &answer, 409, "duty.twice");
    let answer = stage.post(&approver("cy"), &path, &yes(&two)).await;
    assert_eq!(answer.json()["state"], "approved", "{}", answer.text);
    let answer = stage.post(&approver("di"), &path, &yes(&two)).await;
    refused("a vote too many", &answer, 409, "request.closed");
}

#[tokio::test]
async fn who_may_not_activate() {
    let stage = Stage::new();
    let request = things::approved(&stage);
    let with = |change: fn(&mut Caller)| {
        let mut caller = ada();
        change(&mut caller);
        caller
    };
    let old = with(|it| it.proof.at = Timestamp::from_millis(1));
    let cases = [
        ("who agreed", approver("bo"), 403, "duty.voter-activates"),
        (
            "somebody else",
            person("sam", &[(Role::Security, "*")]),
            403,
            "duty.not-requester",
        ),
        (
            "another account of the requester",
            with(|it| it.account = "https://id.example|ada2".to_owned()),
            403,
            "duty.other-account",
        ),
        ("an old sign-in", old, 401, "step-up.stale"),
        (
            "a weak sign-in",
            with(|it| it.proof.acr = Some("password".to_owned())),
            401,
            "step-up.weak",
        ),
    ];
    let path = format!("/api/v1/requests/{}/activate", request.id);
    for (case, caller, status, reason) in cases {
        let answer = stage.post(&caller, &path, &Value::Null).await;
        refused(case, &answer, status, reason);
        if status == 401 {
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.contains("insufficient_user_authentication"),
                "{challenge}"
            );
            assert!(challenge.contains("max_age=300"), "{challenge}");
        }
    }
    let waiting = things::request(&stage);
    let path = format!("/api/v1/requests/{}/activate", waiting.id);
    let answer = stage.post(&ada(), &path, &Value::Null).await;
    refused("nobody agreed", &answer, 409, "request.not-approved");
}

#[tokio::test]
async fn what_cannot_be_activated_any_more() {
    let stage = Stage::new();
    let request = things::approved(&stage);
    let path = format!("/api/v1/requests/{}/activate", request.id);
    let answer = stage.post(&ada(), &path, &Value::Null).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let answer = stage.post(&ada(), &path, &Value::Null).await;
    refused("a grant is used once", &answer, 409, "request.used");

    let request = things::approved(&stage);
    stage.pass(31 * MINUTE);
    let mut fresh = ada();
    fresh.proof.at = stage.control.now();
    let path = format!("/api/v1/requests/{}/activate", request.id);
    let answer = stage.post(&fresh, &path, &Value::Null).await;
    refused("votes expire", &answer, 409, "approvals.missing");
    stage.pass(31 * MINUTE);
    fresh.proof.at = stage.control.now();
    let answer = stage.post(&fresh, &path, &Value::Null).await;
    refused("requests expire", &answer, 409, "request.expired");
}

#[tokio::test]
async fn who_may_not_review() {
    let stage = Stage::new();
    let review = things::review(&stage);
    let path = format!("/api/v1/reviews/{}/verdict", review.id);
    let security = |name| person(name, &[(Role::Security, "*")]);
    let no = json!({"justified": false, "findings": "No incident of that name."});
    let cases = [
        ("who broke the glass", security("ada"), "duty.reviews-own"),
        ("who agreed", security("bo"), "duty.approver-reviews"),
        (
            "an auditor",
            person("eve", &[(Role::Auditor, "*")]),
            "duty.not-security",
        ),
    ];
    for (case, caller, reason) in cases {
        let answer = stage.post(&caller, &path, &no).await;
        refused(case, &answer, 403, reason);
    }
    let answer = stage.post(&security("sam"), &path, &no).await;
    assert_eq!(answer.json()["state"], "rejected", "{}", answer.text);
    let yes = json!({"justified": true, "findings": "There was one after all.", "follow_ups": []});
    let answer = stage.post(&security("sam"), &path, &yes).await;
    refused("who rejected it", &answer, 403, "duty.twice");
    let answer = stage.post(&security("tom"), &path, &yes).await;
    assert_eq!(answer.json()["state"], "certified", "{}", answer.text);
    let answer = stage.post(&security("uma"), &path, &yes).await;
    refused("a closed one", &answer, 409, "review.closed");
}

#[tokio::test]
async fn who_may_not_ask() {
    let stage = Stage::new();
    let ask = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"],
        "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Help with an invoice",
    });
    let mut own = ask.clone();
    own["subject"] = "ada@support.example".into();
    let mut urgent = ask.clone();
    urgent["reason_code"] = "outage".into();
    urgent["incident"] = "INC-77".into();
    if let Some(fields) = urgent.as_object_mut() {
        fields.remove("scopes");
    }
    let mut refund = ask.clone();
    refund["scopes"] = json!(["refund"]);
    let mut robot = ada();
    robot.kind = OperatorKind::Workload;
    let operator = person("ann", &[(Role::Operator, "*")]);
    let glass = person("gus", &[(Role::BreakGlass, "*")]);
    let (asking, breaking) = ("/api/v1/requests", "/api/v1/break-glass");
    let cases = [
        ("no operator", &glass, asking, &ask, "duty.not-operator"),
        ("for oneself", &ada(), asking, &own, "duty.self"),
        (
            "unregistered",
            &robot,
            asking,
            &ask,
            "workload.unregistered",
        ),
        (
            "no policy allows it",
            &ada(),
            asking,
            &refund,
            "policy.denied",
        ),
        (
            "not pre-authorised",
            &operator,
            breaking,
            &urgent,
            "duty.not-pre-authorised",
        ),
        (
            "a program",
            &robot,
            breaking,
            &urgent,
            "duty.workload-emergency",
        ),
    ];
    for (case, caller, path, body, reason) in cases {
        let answer = stage.post(caller, path, body).await;
        refused(case, &answer, 403, reason);
    }
    things::review(&stage);
    let answer = stage.post(&ada(), breaking, &urgent).await;
    refused("before the last review", &answer, 403, "break-glass.barred");
}

#[tokio::test]
async fn who_may_not_end_lock_or_register() {
    let stage = Stage::new();
    let (session, request) = (things::session(&stage), things::request(&stage));
    let auditor = person("eve", &[(Role::Auditor, "*")]);
    let why = json!({"reason": "Something is wrong here"});
    let end = format!("/api/v1/sessions/{session}/end");
    let answer = stage.post(&auditor, &end, &why).await;
    refused("an auditor ends", &answer, 403, "duty.not-yours-to-end");
    let cancel = format!("/api/v1/requests/{}/cancel", request.id);
    let answer = stage.post(&approver("bo"), &cancel, &Value::Null).await;
    refused(
        "an approver cancels",
        &answer,
        403,
        "duty.not-yours-to-cancel",
    );
    let key = json!({"key": "tenant:acme", "reason": "Something is wrong here"});
    let all = json!({"key": "all", "reason": "Something is wrong here"});
    let acme = person("sam", &[(Role::Security, "acme")]);
    let cases = [
        ("an approver locks", approver("bo"), "/api/v1/locks", &key),
        (
            "one tenant's security locks all",
            acme.clone(),
            "/api/v1/locks",
            &all,
        ),
        (
            "one tenant's security ends all",
            acme.clone(),
            "/api/v1/sessions/end",
            &all,
        ),
    ];
    for (case, caller, path, body) in cases {
        let answer = stage.post(&caller, path, body).await;
        refused(case, &answer, 403, "duty.not-security");
    }
    let answer = stage.post(&acme, "/api/v1/sessions/end", &key).await;
    assert_eq!(answer.json()["ended"], 1, "{}", answer.text);
    let answer = stage.post(&acme, &end, &why).await;
    refused("a session ends once", &answer, 409, "session.over");
    let workload = things::workload(&stage);
    let body = json!({"id": workload.id});
    let answer = stage
        .post(&auditor, "/api/v1/workloads/disable", &body)
        .await;
    refused("an auditor disables", &answer, 403, "duty.not-admin");
}
