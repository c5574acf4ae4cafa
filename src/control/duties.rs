//! Separation of duties: which person may take which step. Every rule of it is in this file and those beside
//! it of changes and recordings; API, portal and command line go through here. `docs/controls.md` (S1, S4, S6, B5) names the tests.

mod changes;
mod recordings;
mod same;

pub use changes::{is_change_agreed, may_answer_change, may_see_changes, may_test_alerts};
pub use recordings::{
    may_answer_erasing, may_ask_erasing, may_hold, may_see_hold, may_see_recording,
    may_see_recordings_of,
};
pub use same::same;

use super::refusal::{Kind, Refusal};
use crate::model::{
    AccessRequest, Caller, Grant, LockKey, OperatorKind, Reach, RequestState, Review, Role,
    Timestamp, Verdict, Vote,
};
use std::time::Duration;

/// How fresh, and how strong, the proof of identity must be to activate.
#[derive(Clone, Debug)]
pub struct StepUp {
    /// The oldest authentication that counts.
    pub max_age: Duration,
    /// Any of these `acr` values; empty: whatever.
    pub acr_values: Vec<String>,
}

/// May they ask at all?
pub fn may_ask(
    caller: &Caller,
    tenant: &str,
    app: &str,
    subject: &str,
    emergency: bool,
) -> Result<(), Refusal> {
    let role = match (caller.kind, emergency) {
        (OperatorKind::Workload, true) => {
            return Err(Refusal::forbidden(
                "duty.workload-emergency",
                "Workloads never break the glass: a person must.",
            ));
        }
        (_, true) => Role::BreakGlass,
        (_, false) => Role::Operator,
    };
    if caller.kind == OperatorKind::Human && !caller.may(role, tenant, app) {
        return Err(Refusal::forbidden(
            if emergency {
                "duty.not-pre-authorised"
            } else {
                "duty.not-operator"
            },
            format!("You are not {} for this customer and app.", article(role)),
        ));
    }
    if same(&caller.person, subject) {
        return Err(Refusal::forbidden(
            "duty.self",
            "Nobody stands in for themselves.",
        ));
    }
    Ok(())
}

/// May they vote on this request as it stands?
pub fn may_vote(
    caller: &Caller,
    request: &AccessRequest,
    votes: &[Vote],
    verdict: Verdict,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if caller.kind == OperatorKind::Workload {
        return Err(Refusal::forbidden(
            "duty.workload-votes",
            "Only people agree to access.",
        ));
    }
    if same(&caller.person, &request.operator.id) || caller.account == request.account {
        return Err(Refusal::forbidden(
            "duty.requester",
            "You asked for this yourself: somebody else must answer.",
        ));
    }
    if same(&caller.person, &request.subject.id) {
        return Err(Refusal::forbidden(
            "duty.subject",
            "This is about your own account: somebody else must answer.",
        ));
    }
    let consented = request.consented_by.as_deref();
    if consented.is_some_and(|person| same(person, &caller.person)) {
        return Err(Refusal::forbidden(
            "duty.consenter-votes",
            "You consented for the customer: somebody else must answer for us.",
        ));
    }
    if !caller.may(Role::Approver, &request.tenant.id, &request.app) {
        let reason = if caller.is(Role::Approver) {
            "duty.other-tenant"
        } else {
            "duty.not-approver"
        };
        return Err(Refusal::forbidden(
            reason,
            "You are not an approver for this customer and app.",
        ));
    }
    waits_for_votes(request, now)?;
    let digest = request.digest();
    if votes
        .iter()
        .any(|vote| vote.digest == digest && same(&vote.person, &caller.person))
    {
        return Err(Refusal::conflict(
            "duty.twice",
            "You have answered this request already. One person has one vote, whatever account they use.",
        ));
    }
    if verdict == Verdict::Deny && reason.is_none_or(|text| text.trim().is_empty()) {
        return Err(Refusal::new(
            Kind::Invalid,
            "vote.reason",
            "Say why: the operator needs to know.",
        ));
    }
    Ok(())
}

/// Whether the request is one that votes can still change.
fn waits_for_votes(request: &AccessRequest, now: Timestamp) -> Result<(), Refusal> {
    if now >= request.expires_at {
        return Err(Refusal::conflict(
            "request.expired",
            "This request has expired.",
        ));
    }
    if request.state != RequestState::Pending {
        return Err(Refusal::conflict(
            "request.closed",
            format!(
                "This request is {}: there is nothing to answer.",
                request.state.as_str()
            ),
        ));
    }
    Ok(())
}

/// The different people who agreed to the request as it stands, its own operator never among them.
pub fn agreed<'a>(request: &AccessRequest, votes: &'a [Vote], now: Timestamp) -> Vec<&'a Vote> {
    let digest = request.digest();
    let mut agreed: Vec<&Vote> = Vec::new();
    for vote in votes {
        let counts = vote.verdict == Verdict::Approve
            && vote.counts(&digest, now)
            && !same(&vote.person, &request.operator.id)
            && !agreed.iter().any(|other| same(&other.person, &vote.person));
        if counts {
            agreed.push(vote);
        }
    }
    agreed
}

/// Whether nothing is missing that policy demanded.
pub fn is_agreed(request: &AccessRequest, votes: &[Vote], now: Timestamp) -> bool {
    agreed(request, votes, now).len() >= usize::from(request.needs.approvals)
        && (!request.needs.consent || request.consented.is_some())
}

/// May they take the link to the customer? Whoever holds it could answer in the customer's stead, so never the one who
/// asked, nor anybody without a part in agreeing.
pub fn may_ask_the_customer(caller: &Caller, request: &AccessRequest) -> Result<(), Refusal> {
    if same(&caller.person, &request.operator.id) || caller.account == request.account {
        return Err(Refusal::forbidden(
            "duty.requester",
            "You asked for this yourself: an approver sends the link to the customer.",
        ));
    }
    let (tenant, app) = (&request.tenant.id, &request.app);
    if caller.may(Role::Approver, tenant, app) || caller.may(Role::Security, tenant, app) {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-approver",
        "You are not an approver for this customer and app.",
    ))
}

/// Whoever asked for a request or voted on it does not give the customer's consent to it, whatever seats they have, and by
/// whatever way.
fn has_no_part(caller: &Caller, request: &AccessRequest, votes: &[Vote]) -> Result<(), Refusal> {
    if same(&caller.person, &request.operator.id) || caller.account == request.account {
        return Err(Refusal::forbidden(
            "duty.requester",
            "You asked for this yourself: somebody of the customer's must answer.",
        ));
    }
    if votes.iter().any(|vote| same(&vote.person, &caller.person)) {
        return Err(Refusal::forbidden(
            "duty.voter-consents",
            "You voted on this request: somebody else must give the customer's consent.",
        ));
    }
    Ok(())
}

/// May they, whom the portal knows, answer by the customer's link? Somebody of ours who holds it is not the customer, whether
/// or not they have a part in the request.
pub fn may_answer_by_link(
    caller: &Caller,
    request: &AccessRequest,
    votes: &[Vote],
) -> Result<(), Refusal> {
    has_no_part(caller, request, votes)?;
    let is_ours = caller.seats.iter().any(|it| it.role != Role::TenantAuditor);
    if is_ours && !caller.may(Role::TenantAuditor, &request.tenant.id, &request.app) {
        return Err(Refusal::forbidden(
            "duty.not-the-customer",
            "Only the customer consents: send the link on.",
        ));
    }
    Ok(())
}

/// May they consent for the customer, signed in?
pub fn may_consent(
    caller: &Caller,
    request: &AccessRequest,
    votes: &[Vote],
) -> Result<(), Refusal> {
    has_no_part(caller, request, votes)?;
    if same(&caller.person, &request.operator.id) || same(&caller.person, &request.subject.id) {
        return Err(Refusal::forbidden(
            "duty.requester",
            "Somebody else of the customer's must answer.",
        ));
    }
    if caller.may(Role::TenantAuditor, &request.tenant.id, &request.app) {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-the-customer",
        "Only the customer consents.",
    ))
}

/// May they still use what they asked for? Seats are looked at again at each step: whoever lost theirs since gets nothing.
pub fn may_use(caller: &Caller, request: &AccessRequest) -> Result<(), Refusal> {
    let emergency = request.emergency.is_some();
    let (tenant, app) = (&request.tenant.id, &request.app);
    may_ask(caller, tenant, app, &request.subject.id, emergency)
}

/// May they turn the request into a session, now?
pub fn may_activate(
    caller: &Caller,
    request: &AccessRequest,
    votes: &[Vote],
    step_up: &StepUp,
    now: Timestamp,
) -> Result<(), Refusal> {
    if votes.iter().any(|vote| same(&vote.person, &caller.person)) {
        return Err(Refusal::forbidden(
            "duty.voter-activates",
            "You voted on this request: who agrees never acts.",
        ));
    }
    if !same(&caller.person, &request.operator.id) {
        return Err(Refusal::forbidden(
            "duty.not-requester",
            "Only the person who asked may use what was granted.",
        ));
    }
    if caller.account != request.account {
        return Err(Refusal::forbidden(
            "duty.other-account",
            "You asked with another account: use that one.",
        ));
    }
    may_use(caller, request)?;
    if now >= request.expires_at {
        return Err(Refusal::conflict(
            "request.expired",
            "This request has expired: ask anew.",
        ));
    }
    match request.state {
        RequestState::Approved => {}
        RequestState::Activated => {
            return Err(Refusal::conflict(
                "request.used",
                "This was activated before. A grant is used once: renewing is a new request.",
            ));
        }
        other => {
            return Err(Refusal::conflict(
                "request.not-approved",
                format!("This request is {}.", other.as_str()),
            ));
        }
    }
    if !is_agreed(request, votes, now) {
        return Err(Refusal::conflict(
            "approvals.missing",
            "Not enough votes count any more for the request as it stands: votes expire. Ask anew.",
        ));
    }
    is_fresh(caller, step_up, now)
}

/// Whether they proved who they are lately, and strongly enough.
pub fn is_fresh(caller: &Caller, step_up: &StepUp, now: Timestamp) -> Result<(), Refusal> {
    if caller.kind == OperatorKind::Workload {
        return Ok(());
    }
    let fresh = now < caller.proof.at.plus(step_up.max_age);
    let strong = step_up.acr_values.is_empty()
        || caller
            .proof
            .acr
            .as_ref()
            .is_some_and(|acr| step_up.acr_values.contains(acr));
    match (fresh, strong) {
        (true, true) => Ok(()),
        (false, _) => Err(Refusal::new(
            Kind::StepUp,
            "step-up.stale",
            "Sign in again: activating needs a fresh proof of who you are.",
        )),
        (true, false) => Err(Refusal::new(
            Kind::StepUp,
            "step-up.weak",
            "Sign in with a stronger factor: activating needs it.",
        )),
    }
}

/// May they write or certify this review?
pub fn may_review(caller: &Caller, review: &Review) -> Result<(), Refusal> {
    if same(&caller.person, &review.operator) {
        return Err(Refusal::forbidden(
            "duty.reviews-own",
            "You broke this glass yourself: somebody else must review it.",
        ));
    }
    if review
        .approvers
        .iter()
        .any(|person| same(person, &caller.person))
    {
        return Err(Refusal::forbidden(
            "duty.approver-reviews",
            "You agreed to it: somebody who had no part in it must review it.",
        ));
    }
    if caller.kind == OperatorKind::Workload
        || !caller.may(Role::Security, &review.tenant, &review.app)
    {
        return Err(Refusal::forbidden(
            "duty.not-security",
            "Reviews are written by the security role for this customer and app.",
        ));
    }
    Ok(())
}

/// May they end this grant's session?
pub fn may_end(caller: &Caller, grant: &Grant) -> Result<(), Refusal> {
    let own = same(&caller.person, &grant.operator.id);
    let over = [Role::Approver, Role::Security, Role::TenantAuditor]
        .iter()
        .any(|role| caller.may(*role, &grant.tenant.id, &grant.app));
    if own || over {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-yours-to-end",
        "Only its operator, an approver, security or the customer ends a session.",
    ))
}

/// May they lock or end everything of this key? What spans tenants needs a seat that does.
pub fn may_lock(caller: &Caller, key: &LockKey) -> Result<(), Refusal> {
    let allowed = caller.seats.iter().any(|seat| {
        seat.role == Role::Security
            && match key {
                LockKey::Tenant(tenant) => seat.tenants.covers(tenant) && seat.apps == Reach::All,
                LockKey::App(app) => seat.apps.covers(app) && seat.tenants == Reach::All,
                _ => seat.tenants == Reach::All && seat.apps == Reach::All,
            }
    });
    if allowed && caller.kind == OperatorKind::Human {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-security",
        "Locks are for the security role, over everything that they touch.",
    ))
}

/// May they register a workload for these tenants and apps, or switch it off? Their seats must reach all of them.
pub fn may_register(caller: &Caller, tenants: &[String], apps: &[String]) -> Result<(), Refusal> {
    let over = |tenant: &String, app: &String| {
        caller.seats.iter().any(|seat| {
            seat.role == Role::Admin
                && seat.apps.covers(app)
                && match tenant.as_str() {
                    "*" => seat.tenants == Reach::All,
                    name => seat.tenants.covers(name),
                }
        })
    };
    let all = tenants
        .iter()
        .all(|tenant| apps.iter().all(|app| over(tenant, app)));
    if caller.kind == OperatorKind::Human && caller.is(Role::Admin) && all {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-admin",
        "Workloads are registered by an admin of every customer and app that they may act for.",
    ))
}

/// May they follow the log of this tenant's records? It tells hashes alone, and no app's apart.
pub fn may_see_log_of(caller: &Caller, tenant: &str) -> bool {
    let sees = |role| !matches!(role, Role::Operator | Role::BreakGlass);
    let mut seats = caller.seats.iter();
    seats.any(|seat| sees(seat.role) && seat.tenants.covers(tenant))
}

const fn article(role: Role) -> &'static str {
    match role {
        Role::BreakGlass => "pre-authorised for emergencies",
        _ => "an operator",
    }
}
