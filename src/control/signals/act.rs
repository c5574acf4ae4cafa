//! What a security event does: sessions end and logins are dropped, in the transaction that remembers the event.

use super::event::Event;
use super::refused::Refused;
use super::subject::Subject;
use crate::config::SignalAbout;
use crate::control::duties::same;
use crate::model::{EndCause, Ended, Happened, LockKey, Reach, Timestamp};
use crate::store::control::Tx;
use crate::store::{Stored, Target};
use std::collections::BTreeSet;

/// Who said it, and whom they may speak of.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) issuer: String,
    pub(super) about: SignalAbout,
    pub(super) tenants: Reach,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) sessions: usize,
    pub(super) logins: usize,
}

pub(super) fn act(
    tx: &Tx<'_>,
    event: &Event,
    source: &Source,
    now: Timestamp,
) -> Result<Done, Refused> {
    if !tx.hear(&source.issuer, &event.jti, event.forget_after)? {
        return Err(Refused::Replayed);
    }
    let by = format!("signal:{}", source.issuer);
    let mut done = Done::default();
    if let Some(subject) = &event.subject {
        let ended = Ended {
            cause: EndCause::Signalled,
            at: now,
            by: by.clone(),
        };
        let meant = match source.about {
            SignalAbout::Operators => operator(tx, subject, &mut done)?,
            SignalAbout::Subjects => subject_sessions(tx, subject, &source.tenants)?,
        };
        for stored in &meant {
            tx.revoke(&Target::Session(stored.session.id), &ended)?;
            let happened = Happened::new("session.end-asked", &by).about_grant(&stored.grant);
            let happened = Happened {
                session: Some(stored.session.id.to_string()),
                ..happened
            };
            let happened = happened
                .with("cause", ended.cause.as_str())
                .with("event", event.names.join(" "))
                .with("jti", &event.jti);
            tx.note(happened, now)?;
        }
        done.sessions = meant.len();
    }
    let about = event.subject.as_ref().map_or("", Subject::told);
    let happened = Happened::new("signal.heard", &by)
        .severe(if done == Done::default() { 1 } else { 3 })
        .with("event", event.names.join(" "))
        .with("jti", &event.jti)
        .with("about", about)
        .with("sessions", done.sessions)
        .with("logins", done.logins);
    tx.note(happened, now)?;
    Ok(done)
}

/// Signs the operator out, and finds what they have open.
fn operator(tx: &Tx<'_>, subject: &Subject, done: &mut Done) -> Result<Vec<Stored>, Refused> {
    let mut persons = BTreeSet::new();
    if let Some(account) = subject.account() {
        let dropped = tx.drop_logins(&account, "")?;
        done.logins += dropped.len();
        persons.extend(dropped);
        // Their login may be over while what they opened by it is not.
        persons.extend(tx.persons_of(&account)?);
    }
    done.logins += tx.drop_logins_of(subject.told())?;
    for person in &persons {
        done.logins += tx.drop_logins_of(person)?;
    }
    let open = tx.open_sessions(&LockKey::All, usize::MAX)?;
    let meant = |stored: &Stored| {
        let id = &stored.grant.operator.id;
        subject.is(id) || persons.iter().any(|person| same(person, id))
    };
    Ok(open.into_iter().filter(meant).collect())
}

/// Sessions in which somebody stands in for this user of one of these tenants.
fn subject_sessions(
    tx: &Tx<'_>,
    subject: &Subject,
    tenants: &Reach,
) -> Result<Vec<Stored>, Refused> {
    let open = tx.open_sessions(&LockKey::All, usize::MAX)?;
    let meant = |stored: &Stored| {
        subject.is(&stored.grant.subject.id) && tenants.covers(&stored.grant.tenant.id)
    };
    Ok(open.into_iter().filter(meant).collect())
}
