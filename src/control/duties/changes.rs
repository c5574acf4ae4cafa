//! Who may know of, and agree to, changes of Locum's own rules.

use super::same::same;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Change, ChangeState, OperatorKind, Reach, Role, Timestamp, Verdict};

/// May they know of changes of Locum's own rules? Those span every customer and app, so their seat must.
pub fn may_see_changes(caller: &Caller) -> Result<(), Refusal> {
    over_all(caller, &[Role::Security, Role::Admin, Role::Auditor])
}

fn over_all(caller: &Caller, roles: &[Role]) -> Result<(), Refusal> {
    let over = caller.seats.iter().any(|seat| {
        roles.contains(&seat.role) && seat.tenants == Reach::All && seat.apps == Reach::All
    });
    if over && caller.kind == OperatorKind::Human {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "duty.not-security",
        "Locum's own rules are for the security and admin roles over every customer and app.",
    ))
}

/// May they send tests by the alert channels? Those serve every customer and app, and people get up for what they say.
pub fn may_test_alerts(caller: &Caller) -> Result<(), Refusal> {
    over_all(caller, &[Role::Security, Role::Admin]).map_err(|_| {
        Refusal::forbidden(
            "duty.not-security",
            "Alert channels are tested by the security and admin roles over every customer and app.",
        )
    })
}

/// May they vote on this change of Locum's own rules?
pub fn may_answer_change(
    caller: &Caller,
    change: &Change,
    verdict: Verdict,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    over_all(caller, &[Role::Security, Role::Admin])?;
    if change.authors.iter().any(|it| same(it, &caller.person)) {
        return Err(Refusal::forbidden(
            "duty.author",
            "You administer the host, so this may be your own change: somebody else must answer.",
        ));
    }
    if change.state != ChangeState::Pending || now >= change.expires_at {
        let state = match change.state {
            ChangeState::Pending => "expired",
            other => other.as_str(),
        };
        return Err(Refusal::conflict(
            "change.closed",
            format!("This change is {state}: there is nothing to answer."),
        ));
    }
    if change
        .votes
        .iter()
        .any(|it| same(&it.person, &caller.person))
    {
        return Err(Refusal::conflict(
            "duty.twice",
            "You have answered this change already. One person has one vote, whatever account they use.",
        ));
    }
    if verdict == Verdict::Deny && reason.is_none_or(|text| text.trim().is_empty()) {
        return Err(Refusal::new(
            Kind::Invalid,
            "vote.reason",
            "Say why: whoever brought the change needs to know.",
        ));
    }
    Ok(())
}

/// Whether enough different people agreed to it.
pub fn is_change_agreed(change: &Change) -> bool {
    let mut agreed: Vec<&str> = Vec::new();
    for vote in &change.votes {
        if vote.verdict == Verdict::Approve && !agreed.iter().any(|it| same(it, &vote.person)) {
            agreed.push(&vote.person);
        }
    }
    agreed.len() >= usize::from(change.needed)
}
