//! Ending: by whoever may, one session or all of a key; what lives is cut by the data plane within milliseconds.

use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{
    AccessRequest, Caller, EndCause, Ended, Happened, LockKey, Role, SessionId, Timestamp,
};
use crate::store::control::Tx;
use crate::store::{Stored, Target};

impl Control {
    /// Ends one session.
    pub async fn end(
        &self,
        caller: &Caller,
        id: SessionId,
        reason: &str,
    ) -> Result<Stored, Refusal> {
        let (who, now, why) = (caller.clone(), self.now(), reason.trim().to_owned());
        let done = self
            .run("ending a session", move |tx| {
                let stored = tx.session(id)?.ok_or_else(Refusal::not_found)?;
                let grant = &stored.grant;
                let own = duties::same(&who.person, &grant.operator.id);
                if !own && !who.sees(&grant.tenant.id, &grant.app) {
                    return Err(Refusal::not_found());
                }
                duties::may_end(&who, grant)?;
                if let Some(ended) = &stored.session.ended {
                    return Err(Refusal::conflict(
                        "session.over",
                        format!("This session {} at {}.", ended.cause.told(), ended.at),
                    ));
                }
                let cause = cause_by(&who, &stored);
                let ended = Ended {
                    cause,
                    at: now,
                    by: who.person.clone(),
                };
                tx.revoke(&Target::Session(id), &ended)?;
                let happened = Happened::by("session.end-asked", &who)
                    .about_grant(grant)
                    .with("cause", cause.as_str())
                    .with("reason", &why);
                tx.note(
                    Happened {
                        session: Some(id.to_string()),
                        ..happened
                    },
                    now,
                )?;
                tx.session(id)?.ok_or_else(Refusal::not_found)
            })
            .await;
        if let Err(refusal) = &done {
            let about = Happened {
                session: Some(id.to_string()),
                ..Happened::default()
            };
            self.refused(caller, "end", about, refusal).await;
        }
        done
    }

    /// Ends every session of a key. Returns how many there were.
    pub async fn end_all(
        &self,
        caller: &Caller,
        key: LockKey,
        reason: &str,
    ) -> Result<usize, Refusal> {
        let (who, now, why) = (caller.clone(), self.now(), reason.trim().to_owned());
        let about = Happened::default().with("key", &key);
        let done = self
            .run("ending sessions", move |tx| {
                duties::may_lock(&who, &key)?;
                if why.is_empty() {
                    return Err(Refusal::new(Kind::Invalid, "reason.missing", "Say why."));
                }
                let ended = Ended {
                    cause: EndCause::Revoked,
                    at: now,
                    by: who.person.clone(),
                };
                let over = tx.end_all(&key, &ended)?.len();
                let happened = Happened::by("session.all-ended", &who)
                    .severe(3)
                    .with("key", &key)
                    .with("sessions", over)
                    .with("reason", &why);
                tx.note(happened, now)?;
                Ok(over)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "end-all", about, refusal).await;
        }
        done
    }

    /// Ends every session of a key because something outside happened: a ticket was closed, a security event arrived, an
    /// operator signed out at the identity provider. `by` names that source.
    pub async fn end_because(
        &self,
        key: LockKey,
        cause: EndCause,
        by: &str,
    ) -> Result<usize, Refusal> {
        let (now, by) = (self.now(), by.to_owned());
        self.run("ending sessions", move |tx| {
            let ended = Ended {
                cause,
                at: now,
                by: by.clone(),
            };
            let over = tx.end_all(&key, &ended)?.len();
            let happened = Happened::new("session.all-ended", &by)
                .severe(2)
                .with("key", &key)
                .with("cause", cause.as_str())
                .with("sessions", over);
            tx.note(happened, now)?;
            Ok(over)
        })
        .await
    }
}

/// The word for an end by this person.
fn cause_by(who: &Caller, stored: &Stored) -> EndCause {
    let grant = &stored.grant;
    if duties::same(&who.person, &grant.operator.id) {
        EndCause::Operator
    } else if who.may(Role::TenantAuditor, &grant.tenant.id, &grant.app)
        && !who.may(Role::Security, &grant.tenant.id, &grant.app)
    {
        EndCause::Customer
    } else {
        EndCause::Revoked
    }
}

/// The customer ends, by the consent link, what they once agreed to.
pub(super) fn by_customer(
    tx: &Tx<'_>,
    request: &AccessRequest,
    actor: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    let id = request.session.ok_or_else(Refusal::not_found)?;
    let ended = Ended {
        cause: EndCause::Customer,
        at: now,
        by: actor.to_owned(),
    };
    let done = tx.revoke(&Target::Session(id), &ended)?;
    if done.ended.is_empty() {
        return Err(Refusal::conflict(
            "session.over",
            "This session is over already.",
        ));
    }
    tx.note(
        Happened::new("session.end-asked", actor)
            .about(request)
            .with("cause", "customer"),
        now,
    )?;
    Ok(())
}
