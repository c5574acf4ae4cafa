//! Agreeing, or not: votes, and taking a request back.

use super::at::At;
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{
    AccessRequest, Caller, Happened, RequestId, RequestState, Timestamp, Verdict, Vote,
};
use crate::store::control::Tx;
use crate::store::text;

impl Control {
    /// Casts one person's vote. `digest` is that of the request as they saw it: if it is another now, nothing counts.
    pub async fn vote(
        &self,
        caller: &Caller,
        at: impl Into<At>,
        digest: &str,
        verdict: Verdict,
        reason: Option<&str>,
    ) -> Result<AccessRequest, Refusal> {
        let (at, id) = on(at);
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let (seen, reason) = (digest.to_owned(), reason.map(|it| it.trim().to_owned()));
        let done = self
            .run("storing a vote", move |tx| {
                let mut request = visible(tx, id, &who)?;
                let votes = tx.votes(id)?;
                duties::may_vote(&who, &request, &votes, verdict, reason.as_deref(), now)?;
                at.holds(&request)?;
                check_reason(reason.as_deref(), settings.max_text)?;
                if seen != request.digest() {
                    return Err(Refusal::new(
                        Kind::Stale,
                        "vote.changed",
                        "The request has changed since you read it: read it again.",
                    ));
                }
                let vote = Vote {
                    request: id,
                    digest: seen,
                    person: who.person.clone(),
                    account: who.account.clone(),
                    name: who.name.clone(),
                    verdict,
                    reason: reason.clone(),
                    at: now,
                    expires_at: now.plus(settings.vote_ttl),
                };
                if !tx.vote(&vote)? {
                    return Err(Refusal::conflict(
                        "duty.twice",
                        "You have answered this request already.",
                    ));
                }
                let code = match verdict {
                    Verdict::Approve => "vote.approve",
                    Verdict::Deny => "vote.deny",
                };
                let mut happened = Happened::by(code, &who)
                    .about(&request)
                    .with("digest", &vote.digest);
                if let Some(reason) = &vote.reason {
                    happened = happened.with("reason", reason);
                }
                tx.note(happened, now)?;
                match verdict {
                    Verdict::Deny => {
                        request.state = RequestState::Denied;
                        request.closed_by = Some(who.person.clone());
                        request.closed_why = reason;
                    }
                    Verdict::Approve => settle(tx, &mut request, now)?,
                }
                tx.update(&mut request)?;
                Ok(request)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "vote", about(id), refusal).await;
        }
        done
    }

    /// Takes a request back: its operator, or security.
    pub async fn cancel(
        &self,
        caller: &Caller,
        at: impl Into<At>,
    ) -> Result<AccessRequest, Refusal> {
        let (at, id) = on(at);
        let (who, now) = (caller.clone(), self.now());
        let done = self
            .run("cancelling a request", move |tx| {
                let mut request = visible(tx, id, &who)?;
                let own = duties::same(&who.person, &request.operator.id);
                let security = who.may(
                    crate::model::Role::Security,
                    &request.tenant.id,
                    &request.app,
                );
                if !own && !security {
                    return Err(Refusal::forbidden(
                        "duty.not-yours-to-cancel",
                        "Only the person who asked, or security, cancels a request.",
                    ));
                }
                at.holds(&request)?;
                if !request.state.is_open() {
                    return Err(Refusal::conflict(
                        "request.closed",
                        format!("This request is {} already.", request.state.as_str()),
                    ));
                }
                request.state = RequestState::Cancelled;
                request.closed_by = Some(who.person.clone());
                tx.update(&mut request)?;
                tx.note(Happened::by("request.cancelled", &who).about(&request), now)?;
                Ok(request)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "cancel", about(id), refusal).await;
        }
        done
    }
}

fn on(at: impl Into<At>) -> (At, RequestId) {
    let at = at.into();
    (at, at.id)
}

/// What people write is shown to others: it must not mislead.
fn check_reason(reason: Option<&str>, max: usize) -> Result<(), Refusal> {
    let Some(reason) = reason.filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    text::check(reason, max).map_err(|why| {
        let detail = format!("The reason {why}.");
        Refusal::new(Kind::Invalid, "vote.reason", detail)
    })
}

/// Approved as soon as nothing is missing.
pub(super) fn settle(
    tx: &Tx<'_>,
    request: &mut AccessRequest,
    now: Timestamp,
) -> Result<(), Refusal> {
    let votes = tx.votes(request.id)?;
    if request.state == RequestState::Pending && duties::is_agreed(request, &votes, now) {
        request.state = RequestState::Approved;
        let by: Vec<&str> = duties::agreed(request, &votes, now)
            .iter()
            .map(|it| it.person.as_str())
            .collect();
        let happened = Happened::new("request.approved", "locum")
            .about(request)
            .with("approved_by", by.join(" "));
        tx.note(happened, now)?;
    }
    Ok(())
}

/// The request of this id, if the caller may know of it.
pub(super) fn visible(
    tx: &Tx<'_>,
    id: RequestId,
    caller: &Caller,
) -> Result<AccessRequest, Refusal> {
    let request: AccessRequest = tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
    let own = duties::same(&caller.person, &request.operator.id);
    if own || caller.sees(&request.tenant.id, &request.app) {
        return Ok(request);
    }
    Err(Refusal::not_found())
}

pub(super) fn about(id: RequestId) -> Happened {
    Happened {
        request: Some(id.to_string()),
        ..Happened::default()
    }
}
