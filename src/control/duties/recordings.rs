//! Who may see what was recorded of a session, keep it from being erased, and have it erased.

use super::{StepUp, is_fresh, same};
use crate::audit::recording::{About, Asked, HoldOn};
use crate::control::refusal::Refusal;
use crate::model::{Caller, Grant, OperatorKind, Reach, Role, Timestamp, Verdict};

/// May they see what was recorded of this grant's session? Security and auditors of this customer and app; those who review a
/// break-glass are security. The customer's own auditors where the configuration says so.
pub fn may_see_recording(
    caller: &Caller,
    grant: &Grant,
    tenant_auditors: bool,
) -> Result<(), Refusal> {
    may_see_recordings_of(caller, &grant.tenant.id, &grant.app, tenant_auditors)
}

/// The same, of all that was recorded of a customer in an app.
pub fn may_see_recordings_of(
    caller: &Caller,
    tenant: &str,
    app: &str,
    tenant_auditors: bool,
) -> Result<(), Refusal> {
    let may = |role: Role| caller.may(role, tenant, app);
    let is_theirs = tenant_auditors && may(Role::TenantAuditor);
    if may(Role::Security) || may(Role::Auditor) || is_theirs {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-to-see",
        "Recordings are for security and auditors of this customer and app.",
    ))
}

/// May they know of a hold? What it is on must be within their seats. `about`: the session's, where it is on one.
pub fn may_see_hold(
    caller: &Caller,
    on: &HoldOn,
    about: Option<&About>,
    tenant_auditors: bool,
) -> bool {
    let everywhere = |role: Role| over(caller, &[role], None);
    match (on, about) {
        (HoldOn::Session(_), Some(about)) => {
            may_see_recordings_of(caller, &about.tenant, &about.app, tenant_auditors).is_ok()
        }
        (HoldOn::Tenant(tenant), _) => {
            over(caller, &[Role::Security, Role::Auditor], Some(tenant))
                || tenant_auditors && over(caller, &[Role::TenantAuditor], Some(tenant))
        }
        _ => everywhere(Role::Security) || everywhere(Role::Auditor),
    }
}

/// May they place or release a hold? Security over all that it is on. Releasing is the first step to an erasing: never by
/// whoever was recorded.
pub fn may_hold(caller: &Caller, on: &HoldOn, about: Option<&About>) -> Result<(), Refusal> {
    let allowed = match (on, about) {
        (HoldOn::Session(_), Some(about)) => caller.may(Role::Security, &about.tenant, &about.app),
        (HoldOn::Tenant(tenant), _) => over(caller, &[Role::Security], Some(tenant)),
        _ => over(caller, &[Role::Security], None),
    };
    if !allowed || caller.kind != OperatorKind::Human {
        return Err(not_security());
    }
    match about {
        Some(about) => is_not_recorded(caller, about),
        None => Ok(()),
    }
}

/// May they ask for this recording to be erased?
pub fn may_ask_erasing(caller: &Caller, about: &About) -> Result<(), Refusal> {
    let allowed = caller.may(Role::Security, &about.tenant, &about.app);
    if !allowed || caller.kind != OperatorKind::Human {
        return Err(not_security());
    }
    is_not_recorded(caller, about)
}

/// May they answer that? Agreeing destroys evidence for good: it takes somebody else than who asked, who proved lately who they
/// are. Refusing is free to both.
pub fn may_answer_erasing(
    caller: &Caller,
    about: &About,
    asked: &Asked,
    verdict: Verdict,
    step_up: &StepUp,
    now: Timestamp,
) -> Result<(), Refusal> {
    may_ask_erasing(caller, about)?;
    if verdict == Verdict::Deny {
        return Ok(());
    }
    if same(&caller.person, &asked.by) || caller.account == asked.account {
        return Err(Refusal::forbidden(
            "duty.requester",
            "You asked for this yourself: somebody else must agree.",
        ));
    }
    is_fresh(caller, step_up, now)
}

/// Whether one of their seats of these roles reaches all apps of the tenant; `None`: of every tenant.
fn over(caller: &Caller, roles: &[Role], tenant: Option<&String>) -> bool {
    caller.seats.iter().any(|seat| {
        roles.contains(&seat.role)
            && seat.apps == Reach::All
            && tenant.map_or(seat.tenants == Reach::All, |it| seat.tenants.covers(it))
    })
}

fn is_not_recorded(caller: &Caller, about: &About) -> Result<(), Refusal> {
    if same(&caller.person, &about.operator) || same(&caller.person, &about.subject) {
        return Err(Refusal::forbidden(
            "duty.recorded",
            "This is the recording of you: somebody else must decide what becomes of it.",
        ));
    }
    Ok(())
}

fn not_security() -> Refusal {
    Refusal::forbidden(
        "duty.not-security",
        "Keeping and erasing recordings is for the security role, over everything that it touches.",
    )
}
