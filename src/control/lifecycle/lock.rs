//! Locks: refuse present and future use by a key. What lives under it ends in the same transaction.

use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, EndCause, Ended, Happened, Lock, LockId, LockKey, Timestamp};
use crate::store::text;

impl Control {
    /// Locks a key and ends what lives under it. Returns the lock and how many sessions it ended.
    pub async fn lock(
        &self,
        caller: &Caller,
        key: LockKey,
        reason: &str,
        until: Option<Timestamp>,
    ) -> Result<(Lock, usize), Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let (why, about) = (
            reason.trim().to_owned(),
            Happened::default().with("key", &key),
        );
        let done = self
            .run("locking", move |tx| {
                duties::may_lock(&who, &key)?;
                text::check(&why, settings.max_text).map_err(|problem| {
                    Refusal::new(
                        Kind::Invalid,
                        "reason.missing",
                        format!("The reason {problem}."),
                    )
                })?;
                if until.is_some_and(|until| until <= now) {
                    return Err(Refusal::new(
                        Kind::Invalid,
                        "lock.until",
                        "A lock must end in the future.",
                    ));
                }
                let mut lock = Lock {
                    id: LockId::fresh(),
                    key: key.clone(),
                    reason: why.clone(),
                    by: who.person.clone(),
                    at: now,
                    until,
                    lifted_at: None,
                    lifted_by: None,
                    version: 0,
                };
                tx.insert(&mut lock)?;
                let ended = Ended {
                    cause: EndCause::Locked,
                    at: now,
                    by: who.person.clone(),
                };
                let over = tx.end_all(&key, &ended)?.len();
                let happened = Happened::by("lock.set", &who)
                    .severe(3)
                    .with("lock", lock.id)
                    .with("key", &key)
                    .with("reason", &why)
                    .with("sessions", over);
                tx.note(happened, now)?;
                Ok((lock, over))
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "lock", about, refusal).await;
        }
        done
    }

    /// Lifts a lock. `version` is what the caller saw (`If-Match`); `None`: whatever.
    pub async fn unlock(
        &self,
        caller: &Caller,
        id: LockId,
        reason: &str,
        version: Option<i64>,
    ) -> Result<Lock, Refusal> {
        let (who, now, why) = (caller.clone(), self.now(), reason.trim().to_owned());
        let done = self
            .run("lifting a lock", move |tx| {
                let mut lock: Lock = tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
                duties::may_lock(&who, &lock.key)?;
                if version.is_some_and(|version| version != lock.version) {
                    return Err(Refusal::new(
                        Kind::Stale,
                        "stale",
                        "The lock has changed since you read it.",
                    ));
                }
                if lock.lifted_at.is_some() {
                    return Err(Refusal::conflict(
                        "lock.lifted",
                        "This lock was lifted already.",
                    ));
                }
                lock.lifted_at = Some(now);
                lock.lifted_by = Some(who.person.clone());
                tx.update(&mut lock)?;
                let happened = Happened::by("lock.lifted", &who)
                    .severe(3)
                    .with("lock", lock.id)
                    .with("key", &lock.key)
                    .with("reason", &why);
                tx.note(happened, now)?;
                Ok(lock)
            })
            .await;
        if let Err(refusal) = &done {
            let about = Happened::default().with("lock", id);
            self.refused(caller, "unlock", about, refusal).await;
        }
        done
    }
}
