//! Changes of Locum's own rules: other ones than those in force, as a reload or a start brings them. Where votes are
//! needed, they wait; who may vote is `duties`' to say. See `docs/access.md`, "Locum's own rules".

use crate::model::{Brought, Change, ChangeId, ChangeState, Happened, Manifest, Timestamp};
use crate::store::StoreError;
use crate::store::control::{Book, InForce, Query, Tx};
use std::time::Duration;

/// Who brings a change by a signal or a start: whoever may send it, which is no person that Locum knows.
pub const HOST: &str = "the host's administrator";

/// Changes that wait at once. More: the oldest is void by then anyhow, since a newer one makes it so.
const OPEN: usize = 100;

/// The rules that somebody brings.
#[derive(Clone, Debug)]
pub struct Rules {
    pub manifest: Manifest,
    /// What they ask for the next change: people who must agree, and persons who may not be among them.
    pub votes: u8,
    pub authors: Vec<String>,
    /// How long a change waits.
    pub ttl: Duration,
}

/// Why they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody told the process to read everything again.
    Told,
    /// Enough people agreed to a change.
    Agreed,
    /// The process starts.
    Start,
}

/// What may become of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// They may come into force. `Some`: by this change, which people agreed to.
    Free(Option<Box<Change>>),
    /// They wait for votes on this change.
    Waits(Box<Change>),
    /// Others were agreed to than these: nothing of either comes into force.
    Others,
}

/// Says whether `rules` may come into force; where they must wait, they are a change on record from now on.
pub fn offer(book: &Book, rules: &Rules, cause: Cause, now: Timestamp) -> Result<Way, StoreError> {
    book.write("looking at a change of rules", |tx| {
        let digest = rules.manifest.digest();
        let Some(force) = tx.in_force()? else {
            return Ok(Way::Free(None));
        };
        let open = open(tx, now)?;
        if force.digest == digest {
            if cause == Cause::Told {
                let gone = open.iter().filter(|it| it.brought == Brought::Reload);
                void(tx, gone, "The files are again as they were.", now)?;
            }
            return Ok(Way::Free(None));
        }
        let agreed = open
            .iter()
            .find(|it| it.state == ChangeState::Agreed && it.digest == digest);
        if let Some(agreed) = agreed {
            return Ok(Way::Free(Some(Box::new(agreed.clone()))));
        }
        if force.votes == 0 {
            void(tx, open.iter(), "Another change came into force.", now)?;
            return Ok(Way::Free(None));
        }
        if cause == Cause::Agreed {
            let agreed = open.iter().filter(|it| it.state == ChangeState::Agreed);
            void(
                tx,
                agreed,
                "The files are others than those agreed to.",
                now,
            )?;
            return Ok(Way::Others);
        }
        if let Some(same) = open.iter().find(|it| it.digest == digest) {
            return Ok(Way::Waits(Box::new(same.clone())));
        }
        void(tx, open.iter(), "Another change was brought.", now)?;
        let mut change = change(rules, &force, cause, now);
        tx.insert(&mut change)?;
        let happened = told("change.asked", HOST, &change)
            .with("before", &change.before)
            .with("kinds", change.kinds.join(" "))
            .with("differs", change.differs.join("; "))
            .with("brought", change.brought.as_str())
            .with("votes_needed", change.needed);
        tx.note(happened.severe(3), now)?;
        Ok(Way::Waits(Box::new(change)))
    })
}

/// Writes that `rules` are in force from now on: before they decide anything.
pub fn take(
    book: &Book,
    rules: &Rules,
    by: Option<&Change>,
    now: Timestamp,
) -> Result<(), StoreError> {
    book.write("bringing rules into force", |tx| {
        let digest = rules.manifest.digest();
        let before = tx.in_force()?;
        let same = before.as_ref().is_some_and(|it| it.digest == digest);
        if same {
            return Ok(());
        }
        tx.put_in_force(&InForce {
            digest: digest.clone(),
            votes: rules.votes,
            authors: rules.authors.clone(),
            since: now,
            manifest: rules.manifest.clone(),
        })?;
        let mut happened = Happened::new("change.taken", "locum")
            .severe(if before.is_some() { 3 } else { 1 })
            .with("digest", &digest);
        if let Some(before) = &before {
            let differs = before.manifest.differs(&rules.manifest);
            happened = happened
                .with("before", &before.digest)
                .with("kinds", differs.kinds.join(" "))
                .with("differs", differs.lines.join("; "));
        }
        if let Some(change) = by
            && let Some(mut change) = tx.find::<Change>(&change.id.to_string())?
        {
            change.state = ChangeState::Taken;
            tx.update(&mut change)?;
            let by: Vec<&str> = change.votes.iter().map(|it| it.person.as_str()).collect();
            happened = happened
                .with("change", change.id)
                .with("approved_by", by.join(" "));
        }
        tx.note(happened, now)?;
        Ok(())
    })
}

/// Those that may still come into force at `now`.
fn open(tx: &Tx<'_>, now: Timestamp) -> Result<Vec<Change>, StoreError> {
    let query = Query {
        states: vec!["pending", "agreed"],
        limit: OPEN,
        ..Query::default()
    };
    let mut open = tx.list::<Change>(&query)?.items;
    open.retain(|it| now < it.expires_at);
    Ok(open)
}

fn void<'a>(
    tx: &Tx<'_>,
    changes: impl Iterator<Item = &'a Change>,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    for change in changes {
        let mut change = change.clone();
        change.state = ChangeState::Void;
        change.closed_why = Some(why.to_owned());
        tx.update(&mut change)?;
        tx.note(told("change.void", "locum", &change).with("why", why), now)?;
    }
    Ok(())
}

fn change(rules: &Rules, force: &InForce, cause: Cause, now: Timestamp) -> Change {
    let differs = force.manifest.differs(&rules.manifest);
    Change {
        id: ChangeId::fresh(),
        digest: rules.manifest.digest(),
        before: force.digest.clone(),
        kinds: differs.kinds,
        differs: differs.lines,
        brought: match cause {
            Cause::Start => Brought::Start,
            Cause::Told | Cause::Agreed => Brought::Reload,
        },
        by: HOST.to_owned(),
        authors: force.authors.clone(),
        at: now,
        expires_at: now.plus(rules.ttl),
        needed: force.votes,
        votes: Vec::new(),
        state: ChangeState::Pending,
        closed_why: None,
        version: 0,
    }
}

/// A step in the life of a change.
pub(in crate::control) fn told(code: &str, actor: &str, change: &Change) -> Happened {
    Happened::new(code, actor)
        .with("change", change.id)
        .with("digest", &change.digest)
}
