//! Changes of Locum's own rules: seeing what waits, and answering it.

use crate::control::changes::told;
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{
    Brought, Caller, Change, ChangeId, ChangeState, ChangeVote, Happened, Timestamp, Verdict,
};
use crate::store::control::{Page, Query, Tx};
use crate::store::text;

impl Control {
    /// Changes, newest first.
    pub async fn changes(&self, caller: &Caller, query: Query) -> Result<Page<Change>, Refusal> {
        if duties::may_see_changes(caller).is_err() {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        self.run("listing changes", move |tx| Ok(tx.list::<Change>(&query)?))
            .await
    }

    /// One change, for those who may know of it.
    pub async fn change(&self, caller: &Caller, id: ChangeId) -> Result<Change, Refusal> {
        duties::may_see_changes(caller).map_err(|_| Refusal::not_found())?;
        self.run("reading a change", move |tx| {
            tx.find::<Change>(&id.to_string())?
                .ok_or_else(Refusal::not_found)
        })
        .await
    }

    /// One person's answer to a change. `digest` is that of the change as they saw it.
    pub async fn answer_change(
        &self,
        caller: &Caller,
        id: ChangeId,
        digest: &str,
        verdict: Verdict,
        reason: Option<&str>,
    ) -> Result<Change, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let (seen, reason) = (digest.to_owned(), reason.map(|it| it.trim().to_owned()));
        let done = self
            .run("storing a vote on a change", move |tx| {
                duties::may_see_changes(&who).map_err(|_| Refusal::not_found())?;
                let mut change: Change =
                    tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
                duties::may_answer_change(&who, &change, verdict, reason.as_deref(), now)?;
                if let Some(reason) = reason.as_deref().filter(|it| !it.is_empty()) {
                    text::check(reason, settings.max_text).map_err(|why| {
                        let detail = format!("The reason {why}.");
                        Refusal::new(Kind::Invalid, "vote.reason", detail)
                    })?;
                }
                if seen != change.digest {
                    return Err(Refusal::new(
                        Kind::Stale,
                        "vote.changed",
                        "That is not the digest of this change: read it again.",
                    ));
                }
                count(tx, &mut change, &who, verdict, reason, now)?;
                tx.update(&mut change)?;
                Ok(change)
            })
            .await;
        match &done {
            Ok(change)
                if change.state == ChangeState::Agreed && change.brought == Brought::Reload =>
            {
                self.agreed.notify_one();
            }
            Ok(_) => {}
            Err(refusal) => {
                let about = Happened::default().with("change", id);
                self.refused(caller, "change-vote", about, refusal).await;
            }
        }
        done
    }
}

/// Adds a vote that may be cast, and what comes of it.
fn count(
    tx: &Tx<'_>,
    change: &mut Change,
    who: &Caller,
    verdict: Verdict,
    reason: Option<String>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let code = match verdict {
        Verdict::Approve => "change.approve",
        Verdict::Deny => "change.deny",
    };
    let mut happened = told(code, &who.person, change).severe(2);
    happened.account = Some(who.account.clone());
    if let Some(reason) = &reason {
        happened = happened.with("reason", reason);
    }
    tx.note(happened, now)?;
    change.votes.push(ChangeVote {
        person: who.person.clone(),
        account: who.account.clone(),
        name: who.name.clone(),
        verdict,
        reason: reason.clone(),
        at: now,
    });
    if verdict == Verdict::Deny {
        change.state = ChangeState::Denied;
        change.closed_why = reason;
    } else if duties::is_change_agreed(change) {
        change.state = ChangeState::Agreed;
        let by: Vec<&str> = change.votes.iter().map(|it| it.person.as_str()).collect();
        let happened = told("change.agreed", "locum", change).severe(3);
        tx.note(happened.with("approved_by", by.join(" ")), now)?;
    }
    Ok(())
}
