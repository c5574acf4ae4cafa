//! The separation of duties, pair by pair, through the portal's own forms: each forbidden pair with its own reason.

use super::stage::{MINUTE, Stage, ada, asked, person};
use crate::model::{AccessRequest, Caller, RequestState, Role, Verdict, Vote};
use http::StatusCode;

fn approver(name: &str) -> Caller {
    person(name, &[(Role::Approver, "*")])
}

async fn vote(
    stage: &Stage,
    who: &Caller,
    request: &AccessRequest,
    verdict: &str,
) -> super::stage::Seen {
    let digest = stage.stored(request.id).digest();
    let fields = [
        ("digest", digest.as_str()),
        ("verdict", verdict),
        ("reason", "because"),
    ];
    stage
        .post(who, &format!("/approvals/{}", request.id), &fields)
        .await
}

#[track_caller]
fn is_refused(seen: &super::stage::Seen, status: u16, reason: &str) {
    assert_eq!(
        (seen.status.as_u16(), seen.reasons()),
        (status, vec![reason]),
        "{}",
        seen.text
    );
}

#[tokio::test]
async fn who_must_not_vote() {
    let stage = Stage::new();
    let request = stage.asked();
    let own = Caller {
        seats: approver("ada").seats,
        ..ada()
    };
    let second_account = Caller {
        account: "https://id.example|ada-2".into(),
        person: "ADA@support.example".into(),
        ..own.clone()
    };
    let same_account = Caller {
        account: ada().account,
        ..approver("adele")
    };
    let subject = Caller {
        person: "kim@acme.example".into(),
        ..approver("kim")
    };
    let cases = [
        (own, 403, "duty.requester"),
        (second_account, 403, "duty.requester"),
        (same_account, 403, "duty.requester"),
        (subject, 403, "duty.subject"),
        (
            person("sam", &[(Role::Security, "*")]),
            403,
            "duty.not-approver",
        ),
        (
            person("una", &[(Role::Auditor, "*"), (Role::Approver, "globex")]),
            403,
            "duty.other-tenant",
        ),
        (
            person("eve", &[(Role::Approver, "globex")]),
            404,
            "not-found",
        ),
    ];
    for (who, status, reason) in cases {
        is_refused(
            &vote(&stage, &who, &request, "approve").await,
            status,
            reason,
        );
    }
    assert!(stage.put(|tx| tx.votes(request.id)).is_empty());
}

#[tokio::test]
async fn one_person_has_one_vote_whatever_account_they_use() {
    let stage = Stage::new();
    let request = stage.asked();
    let bo = approver("bo");
    assert_eq!(
        vote(&stage, &bo, &request, "approve").await.status,
        StatusCode::SEE_OTHER
    );
    is_refused(
        &vote(&stage, &bo, &request, "approve").await,
        409,
        "duty.twice",
    );
    let other = Caller {
        account: "https://id.example|bo-admin".into(),
        ..bo
    };
    is_refused(
        &vote(&stage, &other, &request, "deny").await,
        409,
        "duty.twice",
    );
    assert_eq!(stage.stored(request.id).state, RequestState::Pending);
    let cy = approver("cy");
    assert_eq!(
        vote(&stage, &cy, &request, "approve")
            .await
            .header("location"),
        "/approvals?done=approved"
    );
    assert_eq!(stage.stored(request.id).state, RequestState::Approved);
}

#[tokio::test]
async fn a_vote_is_for_what_was_seen() {
    let stage = Stage::new();
    let request = stage.asked();
    let digest = request.digest();
    stage.put(|tx| {
        let mut changed = request.clone();
        changed.duration = 60 * MINUTE;
        tx.update(&mut changed)
    });
    let fields = [("digest", digest.as_str()), ("verdict", "approve")];
    let seen = stage
        .post(
            &approver("bo"),
            &format!("/approvals/{}", request.id),
            &fields,
        )
        .await;
    is_refused(&seen, 412, "vote.changed");
    seen.shows("for 1 hour");
}

#[tokio::test]
async fn a_denial_says_why_and_closes_the_request() {
    let stage = Stage::new();
    let request = stage.asked();
    let path = format!("/approvals/{}", request.id);
    let digest = request.digest();
    let silent = stage
        .post(
            &approver("bo"),
            &path,
            &[("digest", &digest), ("verdict", "deny")],
        )
        .await;
    is_refused(&silent, 422, "vote.reason");
    assert_eq!(
        vote(&stage, &approver("bo"), &request, "deny").await.status,
        StatusCode::SEE_OTHER
    );
    let page = stage
        .get(&ada(), &format!("/requests/{}", request.id))
        .await;
    page.shows("Denied by bo@support.example");
    page.shows("because");
    is_refused(
        &vote(&stage, &approver("cy"), &request, "approve").await,
        409,
        "request.closed",
    );
}

/// A request with two votes, ready to be activated by Ada.
async fn agreed(stage: &Stage) -> AccessRequest {
    let request = stage.asked();
    for name in ["bo", "cy"] {
        vote(stage, &approver(name), &request, "approve").await;
    }
    stage.stored(request.id)
}

#[tokio::test]
async fn who_must_not_activate() {
    let stage = Stage::new();
    let request = agreed(&stage).await;
    let path = format!("/requests/{}/activate", request.id);
    let voter = person("bo", &[(Role::Approver, "*"), (Role::Operator, "*")]);
    is_refused(
        &stage.post(&voter, &path, &[]).await,
        403,
        "duty.voter-activates",
    );
    let another = person("dan", &[(Role::Operator, "*"), (Role::Security, "*")]);
    is_refused(
        &stage.post(&another, &path, &[]).await,
        403,
        "duty.not-requester",
    );
    let other_account = Caller {
        account: "https://id.example|ada-2".into(),
        ..ada()
    };
    is_refused(
        &stage.post(&other_account, &path, &[]).await,
        403,
        "duty.other-account",
    );
    let mut weak = ada();
    weak.proof.acr = None;
    is_refused(&stage.post(&weak, &path, &[]).await, 401, "step-up.weak");
    stage.pass(6 * MINUTE);
    let stale = stage.post(&ada(), &path, &[]).await;
    is_refused(&stale, 401, "step-up.stale");
    stale.shows(&format!(
        "/login?to=%2Frequests%2F{}&#38;fresh=1",
        request.id
    ));
    assert_eq!(stage.stored(request.id).state, RequestState::Approved);
}

#[tokio::test]
async fn what_was_agreed_is_activated_once_and_its_link_is_in_this_one_page() {
    let stage = Stage::new();
    let request = agreed(&stage).await;
    let page = stage
        .get(&ada(), &format!("/requests/{}", request.id))
        .await;
    page.shows("Approved: you may begin");
    let path = format!("/requests/{}/activate", request.id);
    let ready = stage.post(&ada(), &path, &[]).await;
    assert_eq!(ready.status, StatusCode::OK);
    ready.shows("/.locum/start?code=");
    is_refused(&stage.post(&ada(), &path, &[]).await, 409, "request.used");
    let page = stage
        .get(&ada(), &format!("/requests/{}", request.id))
        .await;
    page.hides("/.locum/start?code=");
    let again = stage
        .post(&ada(), &format!("/requests/{}/start-link", request.id), &[])
        .await;
    again.shows("/.locum/start?code=");
}

#[tokio::test]
async fn missing_votes_and_expired_ones_activate_nothing() {
    let stage = Stage::new();
    let request = stage.asked();
    let path = format!("/requests/{}/activate", request.id);
    vote(&stage, &approver("bo"), &request, "approve").await;
    is_refused(
        &stage.post(&ada(), &path, &[]).await,
        409,
        "request.not-approved",
    );
    let mut forged = asked();
    forged.state = RequestState::Approved;
    let forged = stage.insert(forged);
    let path = format!("/requests/{}/activate", forged.id);
    is_refused(
        &stage.post(&ada(), &path, &[]).await,
        409,
        "approvals.missing",
    );
    let old = Vote {
        request: forged.id,
        digest: forged.digest(),
        person: "bo@support.example".into(),
        account: "bo".into(),
        name: None,
        verdict: Verdict::Approve,
        reason: None,
        at: forged.created_at,
        expires_at: forged.created_at,
    };
    stage.put(|tx| tx.vote(&old));
    is_refused(
        &stage.post(&ada(), &path, &[]).await,
        409,
        "approvals.missing",
    );
}

#[tokio::test]
async fn who_must_not_review_break_glass() {
    let stage = Stage::new();
    let review = stage.broken();
    let path = format!("/reviews/{}", review.id);
    let fields = [
        ("verdict", "certify"),
        ("findings", "Two orders were read."),
        ("follow_ups", "Call Kim\r\nFix the shop"),
    ];
    let security = |name: &str| person(name, &[(Role::Security, "*")]);
    is_refused(
        &stage.post(&security("ben"), &path, &fields).await,
        403,
        "duty.reviews-own",
    );
    is_refused(
        &stage.post(&security("cy"), &path, &fields).await,
        403,
        "duty.approver-reviews",
    );
    let auditor = person("una", &[(Role::Auditor, "*")]);
    is_refused(
        &stage.post(&auditor, &path, &fields).await,
        403,
        "duty.not-security",
    );
    let ben = person("ben", &[(Role::BreakGlass, "*")]);
    let again = [
        ("incident", "INC-8"),
        ("tenant", "acme"),
        ("app", "shop"),
        ("subject", "kim@acme.example"),
        ("reason_code", "outage"),
        ("reason", "Again"),
    ];
    is_refused(
        &stage.post(&ben, "/break-glass", &again).await,
        403,
        "break-glass.barred",
    );
    let done = stage.post(&security("sam"), &path, &fields).await;
    assert_eq!(
        (done.status, done.header("location")),
        (
            StatusCode::SEE_OTHER,
            format!("{path}?done=certified").as_str()
        )
    );
    stage.get(&ben, &path).await.shows("Two orders were read.");
}

#[tokio::test]
async fn who_must_not_break_glass() {
    let stage = Stage::new();
    let form = [
        ("incident", "INC-8"),
        ("tenant", "acme"),
        ("app", "shop"),
        ("subject", "kim@acme.example"),
        ("reason_code", "outage"),
        ("reason", "The shop is down"),
    ];
    is_refused(
        &stage.post(&ada(), "/break-glass", &form).await,
        403,
        "duty.not-pre-authorised",
    );
    let ben = person("ben", &[(Role::BreakGlass, "*")]);
    let routine = [
        ("incident", "SUP-1"),
        ("tenant", "acme"),
        ("app", "shop"),
        ("subject", "kim@acme.example"),
        ("reason_code", "customer-request"),
        ("reason", "Slow"),
    ];
    let seen = stage.post(&ben, "/break-glass", &routine).await;
    is_refused(&seen, 422, "invalid");
    seen.shows("begins with one of INC-");
    seen.shows("is no emergency");
}

#[tokio::test]
async fn who_must_not_lock_or_lift_or_register() {
    let stage = Stage::new();
    let key = [("key", "tenant:acme"), ("reason", "x"), ("do", "lock")];
    for role in [
        Role::Operator,
        Role::Approver,
        Role::Auditor,
        Role::Admin,
        Role::TenantAuditor,
        Role::BreakGlass,
    ] {
        let who = person("dan", &[(role, "*")]);
        for path in ["/live", "/locks"] {
            is_refused(
                &stage.post(&who, path, &key).await,
                403,
                "duty.not-security",
            );
        }
    }
    let only_acme = person("sam", &[(Role::Security, "acme")]);
    let all = [("key", "all"), ("reason", "x"), ("do", "end")];
    is_refused(
        &stage.post(&only_acme, "/live", &all).await,
        403,
        "duty.not-security",
    );
    assert_eq!(
        stage
            .post(&only_acme, "/live", &key)
            .await
            .header("location"),
        "/live?done=locked"
    );
    let workload = [
        ("id", "spiffe://corp.example/x"),
        ("owner", "dana"),
        ("system", "billing"),
        ("purpose", "refunds"),
        ("scopes", "view"),
        ("apps", "shop"),
        ("tenants", "acme"),
        ("budget", "10"),
        ("renew_by", "2027-06-01"),
    ];
    is_refused(
        &stage.post(&only_acme, "/workloads/new", &workload).await,
        403,
        "duty.not-admin",
    );
}
