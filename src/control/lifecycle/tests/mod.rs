//! The life of a grant by its rules: who may do what, what it takes, and what each refusal is called.

use super::{ConsentLink, Which};
use crate::control::refusal::{Kind, Refusal};
use crate::control::testing::{Bench, ask};
use crate::model::{
    AccessRequest, Binding, Caller, EndCause, LockKey, RequestState, Role, Secret, SubjectClass,
    Verdict,
};
use std::time::Duration;

mod changes;
mod emergency;
mod evasion;
mod letters;

type Outcome = Result<(), Refusal>;

fn reason<T>(answer: Result<T, Refusal>) -> &'static str {
    answer.err().map_or("-", |refusal| refusal.reason)
}

async fn vote(
    bench: &Bench,
    who: &Caller,
    request: &AccessRequest,
) -> Result<AccessRequest, Refusal> {
    let digest = request.digest();
    bench
        .control
        .vote(who, request.id, &digest, Verdict::Approve, None)
        .await
}

#[tokio::test]
async fn two_people_agree_and_one_session_comes_of_it() -> Outcome {
    let bench = Bench::new();
    let (ada, bo, cy) = (
        bench.operator("ada"),
        bench.approver("bo"),
        bench.approver("cy"),
    );
    let request = bench.control.ask(&ada, &ask("factors")).await?;
    assert_eq!(
        (request.state, request.needs.approvals),
        (RequestState::Pending, 2)
    );
    let early = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await;
    assert_eq!(reason(early), "request.not-approved");
    assert_eq!(
        vote(&bench, &bo, &request).await?.state,
        RequestState::Pending
    );
    assert_eq!(
        vote(&bench, &cy, &request).await?.state,
        RequestState::Approved
    );
    let active = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await?;
    assert_eq!(
        active.grant.approvals,
        ["bo@support.example", "cy@support.example"]
    );
    assert_eq!(active.grant.issued_by, format!("request:{}", request.id));
    let again = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await;
    assert_eq!(reason(again), "request.used");
    let codes = bench.codes();
    for code in [
        "request.created",
        "vote.approve",
        "request.approved",
        "session.activated",
    ] {
        assert!(codes.iter().any(|it| it == code), "{code} in {codes:?}");
    }
    Ok(())
}

/// Each forbidden pair of steps, with its own reason.
#[tokio::test]
async fn the_separation_of_duties_holds() -> Outcome {
    let bench = Bench::new();
    let both = bench.person("ada", &[(Role::Operator, "*"), (Role::Approver, "*")]);
    let request = bench.control.ask(&both, &ask("factors")).await?;
    assert_eq!(
        reason(vote(&bench, &both, &request).await),
        "duty.requester"
    );
    let mut second = both.clone();
    second.account = "https://id.example|ada-admin".into();
    assert_eq!(
        reason(vote(&bench, &second, &request).await),
        "duty.requester"
    );
    second.person = "ADA@support.example".into();
    assert_eq!(
        reason(vote(&bench, &second, &request).await),
        "duty.requester"
    );

    let bo = bench.person("bo", &[(Role::Operator, "*"), (Role::Approver, "*")]);
    vote(&bench, &bo, &request).await?;
    let mut other = bo.clone();
    other.account = "https://id.example|bo-admin".into();
    assert_eq!(reason(vote(&bench, &other, &request).await), "duty.twice");

    let foreign = bench.person(
        "dee",
        &[(Role::Approver, "globex"), (Role::Auditor, "acme")],
    );
    assert_eq!(
        reason(vote(&bench, &foreign, &request).await),
        "duty.other-tenant"
    );
    let stranger = bench.person("eve", &[(Role::Approver, "globex")]);
    assert_eq!(reason(vote(&bench, &stranger, &request).await), "not-found");
    let auditor = bench.person("fay", &[(Role::Auditor, "*")]);
    assert_eq!(
        reason(vote(&bench, &auditor, &request).await),
        "duty.not-approver"
    );
    let mut subject = bench.approver("kim");
    subject.person = "kim@acme.example".into();
    assert_eq!(
        reason(vote(&bench, &subject, &request).await),
        "duty.subject"
    );
    let mut workload = bench.approver("bot");
    workload.kind = crate::model::OperatorKind::Workload;
    assert_eq!(
        reason(vote(&bench, &workload, &request).await),
        "duty.workload-votes"
    );

    Ok(())
}

#[tokio::test]
async fn who_agreed_never_acts_and_nobody_acts_for_another() -> Outcome {
    let bench = Bench::new();
    let (ada, bo) = (bench.operator("ada"), bench.approver("bo"));
    let request = bench.control.ask(&ada, &ask("orders")).await?;
    vote(&bench, &bo, &request).await?;
    let act = |who: Caller| {
        let control = &bench.control;
        async move { reason(control.activate(&who, request.id, Binding::default()).await) }
    };
    assert_eq!(act(bo).await, "duty.voter-activates");
    assert_eq!(act(bench.security("sam")).await, "duty.not-requester");
    let mut other = ada.clone();
    other.account = "https://id.example|ada-2".into();
    assert_eq!(act(other).await, "duty.other-account");
    bench.pass(Duration::from_secs(301));
    assert_eq!(act(ada.clone()).await, "step-up.stale");
    let mut fresh = ada;
    fresh.proof.at = bench.control.now();
    assert_eq!(act(fresh).await, "-");
    Ok(())
}

#[tokio::test]
async fn a_weak_proof_does_not_activate() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    let strong = crate::control::duties::StepUp {
        max_age: Duration::from_secs(300),
        acr_values: vec!["phr".into()],
    };
    let weak = crate::control::duties::is_fresh(&ada, &strong, bench.control.now());
    assert_eq!(reason(weak), "step-up.weak");
    let mut proven = ada;
    proven.proof.acr = Some("phr".into());
    assert_eq!(
        reason(crate::control::duties::is_fresh(
            &proven,
            &strong,
            bench.control.now()
        )),
        "-"
    );
    Ok(())
}

#[tokio::test]
async fn votes_are_for_what_was_seen_and_for_a_time() -> Outcome {
    let bench = Bench::new();
    let (ada, bo) = (bench.operator("ada"), bench.approver("bo"));
    let request = bench.control.ask(&ada, &ask("orders")).await?;
    let old = bench
        .control
        .vote(&bo, request.id, "another", Verdict::Approve, None)
        .await;
    assert_eq!(reason(old), "vote.changed");
    let bare = bench
        .control
        .vote(&bo, request.id, &request.digest(), Verdict::Deny, Some(" "))
        .await;
    assert_eq!(reason(bare), "vote.reason");
    assert_eq!(
        vote(&bench, &bo, &request).await?.state,
        RequestState::Approved
    );
    bench.pass(Duration::from_secs(4 * 3600));
    let ada = bench.operator("ada");
    let late = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await;
    assert_eq!(reason(late), "approvals.missing");
    bench.pass(Duration::from_secs(4 * 3600));
    bench.control.sweep().await?;
    let seen = bench.control.request(&ada, request.id).await?;
    assert_eq!(seen.request.state, RequestState::Expired);
    Ok(())
}

#[tokio::test]
async fn a_denial_ends_the_request_and_says_why() -> Outcome {
    let bench = Bench::new();
    let (ada, bo) = (bench.operator("ada"), bench.approver("bo"));
    let request = bench.control.ask(&ada, &ask("orders")).await?;
    let why = Some("The customer did not ask for this");
    let denied = bench
        .control
        .vote(&bo, request.id, &request.digest(), Verdict::Deny, why)
        .await?;
    assert_eq!(denied.state, RequestState::Denied);
    assert_eq!(denied.closed_why.as_deref(), why);
    assert_eq!(
        reason(vote(&bench, &bench.approver("cy"), &request).await),
        "request.closed"
    );
    Ok(())
}

#[tokio::test]
async fn tickets_are_asked_when_asking_and_when_activating() -> Outcome {
    use crate::control::desk::TicketRefused;
    let bench = Bench::new();
    let ada = bench.operator("ada");
    let mut bare = ask("view");
    bare.ticket = String::new();
    assert_eq!(reason(bench.control.ask(&ada, &bare).await), "invalid");
    for (told, want) in [
        (TicketRefused::Unknown, "invalid"),
        (TicketRefused::Closed, "invalid"),
        (TicketRefused::Foreign, "invalid"),
        (
            TicketRefused::Unavailable("down".into()),
            "ticket.unavailable",
        ),
    ] {
        *bench.around.ticket.lock() = Some(told);
        assert_eq!(reason(bench.control.ask(&ada, &ask("view")).await), want);
    }
    *bench.around.ticket.lock() = None;
    let request = bench.control.ask(&ada, &ask("view")).await?;
    assert_eq!(request.state, RequestState::Approved);
    *bench.around.ticket.lock() = Some(TicketRefused::Closed);
    let closed = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await;
    assert_eq!(reason(closed), "ticket.closed");
    Ok(())
}

#[tokio::test]
async fn a_lock_refuses_what_is_and_what_would_be() -> Outcome {
    let bench = Bench::new();
    let (ada, sam) = (bench.operator("ada"), bench.security("sam"));
    let request = bench.control.ask(&ada, &ask("view")).await?;
    let active = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await?;
    let waiting = bench.control.ask(&ada, &ask("view")).await?;
    let key = LockKey::Tenant("acme".into());
    let stranger = bench.control.lock(&ada, key.clone(), "no", None).await;
    assert_eq!(reason(stranger), "duty.not-security");
    let (lock, over) = bench
        .control
        .lock(&sam, key, "Something is wrong", None)
        .await?;
    assert_eq!(over, 1);
    let (stored, _) = bench.control.session(&ada, active.session).await?;
    assert_eq!(
        stored.session.ended.map(|it| it.cause),
        Some(EndCause::Locked)
    );
    assert_eq!(
        reason(bench.control.ask(&ada, &ask("view")).await),
        "locked"
    );
    let activate = bench
        .control
        .activate(&ada, waiting.id, Binding::default())
        .await;
    assert_eq!(reason(activate), "locked");
    bench
        .control
        .unlock(&sam, lock.id, "It was nothing", None)
        .await?;
    let twice = bench
        .control
        .unlock(&sam, lock.id, "It was nothing", None)
        .await;
    assert_eq!(reason(twice), "lock.lifted");
    bench
        .control
        .activate(&ada, waiting.id, Binding::default())
        .await?;
    Ok(())
}

#[tokio::test]
async fn nobody_has_more_sessions_than_allowed() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    for n in 0..3 {
        let request = bench.control.ask(&ada, &ask("view")).await?;
        let done = bench
            .control
            .activate(&ada, request.id, Binding::default())
            .await;
        let want = if n < 2 { "-" } else { "sessions.ceiling" };
        assert_eq!(reason(done), want, "session {n}");
    }
    assert_eq!(bench.control.sessions(&ada, Which::Own).await?.len(), 2);
    Ok(())
}

/// What stands behind the `#` of a link that is shown.
fn secret_of(link: &ConsentLink) -> Option<Secret> {
    match link {
        ConsentLink::Shown(link) => Secret::parse(link.split_once('#')?.1),
        ConsentLink::Mailed(_) => None,
    }
}

#[tokio::test]
async fn sensitive_accounts_take_two_and_the_customer() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    *bench.around.class.lock() = Some(SubjectClass::Regulated);
    let request = bench.control.ask(&ada, &ask("view")).await?;
    assert_eq!((request.needs.approvals, request.needs.consent), (2, true));
    vote(&bench, &bench.approver("bo"), &request).await?;
    let still = vote(&bench, &bench.approver("cy"), &request).await?;
    assert_eq!(
        still.state,
        RequestState::Pending,
        "the customer has not answered"
    );
    let own = bench.control.consent_link(&ada, request.id).await;
    assert_eq!(reason(own), "duty.requester");
    let link = bench
        .control
        .consent_link(&bench.approver("bo"), request.id)
        .await?;
    let secret = secret_of(&link).ok_or_else(Refusal::not_found)?;
    assert_eq!(
        bench.control.consent(&secret, true, None).await?.state,
        RequestState::Approved
    );
    let active = bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await?;
    bench.control.consent(&secret, false, None).await?;
    let (stored, _) = bench.control.session(&ada, active.session).await?;
    assert_eq!(
        stored.session.ended.map(|it| it.cause),
        Some(EndCause::Customer)
    );
    Ok(())
}

#[tokio::test]
async fn somebody_of_the_customers_consents_signed_in() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    *bench.around.class.lock() = Some(SubjectClass::Regulated);
    let request = bench.control.ask(&ada, &ask("view")).await?;
    let refused = |who: Caller| {
        let control = &bench.control;
        async move { reason(control.consent_as(&who, request.id, true).await) }
    };
    assert_eq!(refused(bench.approver("bo")).await, "duty.not-the-customer");
    let other = bench.person("lee", &[(Role::TenantAuditor, "globex")]);
    assert_eq!(refused(other).await, "not-found");
    let theirs = bench.person("kit", &[(Role::TenantAuditor, "acme")]);
    assert_eq!(refused(theirs).await, "-");
    Ok(())
}

/// One person with both seats takes one part, in either order, signed in or by the link.
#[tokio::test]
async fn who_votes_never_consents_and_who_consents_never_votes() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    *bench.around.class.lock() = Some(SubjectClass::Regulated);
    let both = bench.person(
        "bo",
        &[(Role::Approver, "*"), (Role::TenantAuditor, "acme")],
    );
    let request = bench.control.ask(&ada, &ask("view")).await?;
    vote(&bench, &both, &request).await?;
    let consent = |who: Caller, id| {
        let control = &bench.control;
        async move { reason(control.consent_as(&who, id, true).await) }
    };
    assert_eq!(
        consent(both.clone(), request.id).await,
        "duty.voter-consents"
    );
    let link = bench.control.consent_link(&both, request.id).await?;
    let secret = secret_of(&link).ok_or_else(Refusal::not_found)?;
    let by_link = bench.control.consent(&secret, true, Some(&both)).await;
    assert_eq!(reason(by_link), "duty.voter-consents");
    let by_link = bench.control.consent(&secret, true, Some(&ada)).await;
    assert_eq!(reason(by_link), "duty.requester");

    let other = bench.control.ask(&ada, &ask("view")).await?;
    assert_eq!(consent(both.clone(), other.id).await, "-");
    assert_eq!(
        reason(vote(&bench, &both, &other).await),
        "duty.consenter-votes"
    );
    Ok(())
}

#[tokio::test]
async fn each_refusal_is_on_record() -> Outcome {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    let mut elsewhere = ask("view");
    elsewhere.reason_code = "curiosity".into();
    let refused = bench.control.ask(&ada, &elsewhere).await;
    assert_eq!(refused.err().map(|it| it.kind), Some(Kind::Invalid));
    assert_eq!(bench.codes(), ["control.refused"]);
    Ok(())
}
