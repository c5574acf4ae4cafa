//! Things of one customer to call about, each stored as the control plane would have.

use super::fixture::{MINUTE, Stage};
use crate::model::{
    AccessRequest, Binding, Brought, Change, ChangeId, ChangeState, EndCause, Ended, Grant,
    GrantId, Happened, Lock, LockId, LockKey, Needs, Operator, OperatorKind, RequestId,
    RequestState, Review, ReviewId, ReviewState, Secret, SessionId, Subject, SubjectClass, Tenant,
    Tier, Verdict, Vote, Workload,
};
use crate::store::{Issue, Target};

/// A request of Ada's in acme, waiting for one vote.
pub(super) fn request(stage: &Stage) -> AccessRequest {
    let now = stage.control.now();
    let mut request = AccessRequest {
        id: RequestId::fresh(),
        app: "shop".to_owned(),
        tenant: Tenant {
            id: "acme".to_owned(),
            name: Some("Acme Works".to_owned()),
        },
        subject: Subject {
            id: "kim@acme.example".to_owned(),
            name: Some("Kim".to_owned()),
        },
        class: SubjectClass::Ordinary,
        scopes: vec!["view".parse().expect("a scope")],
        tier: Tier::Ordinary,
        duration: 15 * MINUTE,
        ticket: "SUP-1042".to_owned(),
        ticket_title: Some("Zebra invoice".to_owned()),
        reason_code: "customer-request".to_owned(),
        reason: "Kim's zebra invoice is missing".to_owned(),
        emergency: None,
        elevates: None,
        operator: Operator {
            id: "ada@support.example".to_owned(),
            name: None,
            kind: OperatorKind::Human,
        },
        account: "https://id.example|ada".to_owned(),
        created_at: now,
        expires_at: now.plus(60 * MINUTE),
        needs: Needs {
            approvals: 1,
            ..Needs::default()
        },
        state: RequestState::Pending,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: None,
        version: 0,
    };
    stage.put(|tx| {
        tx.insert(&mut request)?;
        tx.note(
            Happened::new("request.created", "ada@support.example").about(&request),
            now,
        )
    });
    request
}

/// This person's yes to the request as it stands.
pub(super) fn approve(stage: &Stage, request: &AccessRequest, name: &str) {
    let now = stage.control.now();
    let vote = Vote {
        request: request.id,
        digest: request.digest(),
        person: format!("{name}@support.example"),
        account: format!("https://id.example|{name}"),
        name: None,
        verdict: Verdict::Approve,
        reason: None,
        at: now,
        expires_at: now.plus(30 * MINUTE),
    };
    assert!(stage.put(|tx| tx.vote(&vote)));
}

/// The same request, to which bo agreed.
pub(super) fn approved(stage: &Stage) -> AccessRequest {
    let mut it = request(stage);
    approve(stage, &it, "bo");
    it.state = RequestState::Approved;
    stage.put(|tx| tx.update(&mut it));
    it
}

/// A session of Ada's in acme, made of an approved request.
pub(super) fn session(stage: &Stage) -> SessionId {
    let (now, mut asked) = (stage.control.now(), approved(stage));
    let (grant, session) = (GrantId::fresh(), SessionId::fresh());
    stage.put(|tx| {
        tx.issue(&Issue {
            grant: Grant {
                id: grant,
                app: asked.app.clone(),
                operator: asked.operator.clone(),
                subject: asked.subject.clone(),
                tenant: asked.tenant.clone(),
                scopes: asked.scopes.clone(),
                ticket: asked.ticket.clone(),
                reason: asked.reason.clone(),
                approvals: vec!["bo@support.example".to_owned()],
                break_glass: false,
                not_before: now,
                expires_at: now.plus(asked.duration),
                issued_at: now,
                issued_by: format!("request:{}", asked.id),
                external_id: None,
                budget: None,
            },
            session,
            binding: Binding::default(),
            code: Secret::fresh().expect("random").hash(),
            code_expires: now.plus(MINUTE),
        })?;
        asked.state = RequestState::Activated;
        asked.grant = Some(grant);
        asked.session = Some(session);
        tx.update(&mut asked)?;
        tx.note(
            Happened::new("session.activated", "ada@support.example").about(&asked),
            now,
        )
    });
    session
}

/// A due review of Ada's break-glass in acme, to which bo had agreed; its session is over.
pub(super) fn review(stage: &Stage) -> Review {
    let (now, session) = (stage.control.now(), session(stage));
    let ended = Ended {
        cause: EndCause::Operator,
        at: now,
        by: "ada@support.example".to_owned(),
    };
    stage.put(|tx| tx.revoke(&Target::Session(session), &ended));
    let mut review = Review {
        id: ReviewId::fresh(),
        grant: GrantId::fresh(),
        session,
        app: "shop".to_owned(),
        tenant: "acme".to_owned(),
        subject: "kim@acme.example".to_owned(),
        incident: "INC-77".to_owned(),
        reason: "zebra outage".to_owned(),
        operator: "ada@support.example".to_owned(),
        approvers: vec!["bo@support.example".to_owned()],
        opened_at: now,
        due_at: now.plus(60 * MINUTE),
        escalated_at: None,
        state: ReviewState::Due,
        reviewer: None,
        reviewed_at: None,
        findings: None,
        follow_ups: Vec::new(),
        version: 0,
    };
    stage.put(|tx| tx.insert(&mut review));
    review
}

/// A lock on acme.
pub(super) fn lock(stage: &Stage) -> Lock {
    let mut lock = Lock {
        id: LockId::fresh(),
        key: LockKey::Tenant("acme".to_owned()),
        reason: "zebra on the loose".to_owned(),
        by: "sam@support.example".to_owned(),
        at: stage.control.now(),
        until: None,
        lifted_at: None,
        lifted_by: None,
        version: 0,
    };
    stage.put(|tx| tx.insert(&mut lock));
    lock
}

/// Rules that somebody brought, of which acme's tenant rules are a part.
pub(super) fn change(stage: &Stage) -> Change {
    let now = stage.control.now();
    let mut change = Change {
        id: ChangeId::fresh(),
        digest: "a".repeat(64),
        before: "b".repeat(64),
        kinds: vec!["access-policy".to_owned()],
        differs: vec!["access-policy: zebra of acme: gone".to_owned()],
        brought: Brought::Reload,
        by: "the host's administrator".to_owned(),
        authors: Vec::new(),
        at: now,
        expires_at: now.plus(std::time::Duration::from_secs(3600)),
        needed: 1,
        votes: Vec::new(),
        state: ChangeState::Pending,
        closed_why: None,
        version: 0,
    };
    stage.put(|tx| tx.insert(&mut change));
    change
}

/// A workload that may act in acme.
pub(super) fn workload(stage: &Stage) -> Workload {
    let now = stage.control.now();
    let mut workload = Workload {
        id: "spiffe://example/zebra".to_owned(),
        owner: "ada@support.example".to_owned(),
        system: "billing".to_owned(),
        purpose: "zebra invoices".to_owned(),
        scopes: vec!["view".parse().expect("a scope")],
        apps: vec!["shop".to_owned()],
        tenants: vec!["acme".to_owned()],
        budget: 100,
        renew_by: now.plus(60 * MINUTE),
        registered_at: now,
        registered_by: "root@support.example".to_owned(),
        last_used: None,
        places: Vec::new(),
        disabled: false,
        version: 0,
    };
    stage.put(|tx| tx.insert(&mut workload));
    workload
}
