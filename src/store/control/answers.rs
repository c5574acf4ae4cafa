//! Calls that are done once however often they are sent: a claim on their key, then the answer that was given.

use super::{RowError, StoreError, Tx, failed};
use crate::model::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use std::time::Duration;

/// A call that is to be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// What its sender calls it.
    pub key: String,
    pub person: String,
    /// Of the operation and all that was sent.
    pub digest: String,
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody had it: it is this call's now. Finish it with [`Tx::answer`] or [`Tx::unclaim`].
    New,
    /// The same call is being done.
    Busy,
    /// The same call was begun long ago, and how it ended was never written.
    Lost,
    /// The same call was done: status and body of its answer.
    Done(u16, String),
    /// Another call has this key.
    Other,
}

/// A claim that has no answer by now: whoever made it is gone.
const ABANDONED: Duration = Duration::from_secs(120);

impl Tx<'_> {
    /// Takes the key for this call, or says what it stands for.
    pub fn claim(&self, once: &Once, now: Timestamp) -> Result<Claim, StoreError> {
        let run = || -> Result<Claim, RowError> {
            let taken = self
                .sql
                .prepare_cached(
                    "INSERT INTO answers (key, person, digest, status, body, at)
                     VALUES (?1, ?2, ?3, 0, '', ?4) ON CONFLICT DO NOTHING",
                )?
                .execute(params![once.key, once.person, once.digest, now.millis()])?;
            if taken == 1 {
                return Ok(Claim::New);
            }
            let found: Option<(String, u16, String, i64)> = self
                .sql
                .prepare_cached(
                    "SELECT digest, status, body, at FROM answers WHERE key = ?1 AND person = ?2",
                )?
                .query_row([&once.key, &once.person], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            Ok(match found {
                Some((digest, ..)) if digest != once.digest => Claim::Other,
                Some((_, 0, _, at)) => {
                    if now < Timestamp::from_millis(at).plus(ABANDONED) {
                        Claim::Busy
                    } else {
                        Claim::Lost
                    }
                }
                Some((_, status, body, _)) => Claim::Done(status, body),
                None => Claim::Busy,
            })
        };
        run().map_err(failed("claiming an idempotency key"))
    }

    /// Keeps the answer of a claimed call. Never one with a secret in it.
    pub fn answer(&self, once: &Once, status: u16, body: &str) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached(
                    "UPDATE answers SET status = ?3, body = ?4
                     WHERE key = ?1 AND person = ?2 AND status = 0",
                )?
                .execute(params![once.key, once.person, status, body])?;
            Ok(())
        };
        run().map_err(failed("keeping an answer"))
    }

    /// Gives the key back: nothing was done.
    pub fn unclaim(&self, once: &Once) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached(
                    "DELETE FROM answers WHERE key = ?1 AND person = ?2 AND status = 0",
                )?
                .execute([&once.key, &once.person])?;
            Ok(())
        };
        run().map_err(failed("giving an idempotency key back"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::control::Book;
    use crate::store::sqlite::Settings;

    #[test]
    fn a_key_is_one_callers_one_call() -> Result<(), StoreError> {
        let dir = tempfile::tempdir().expect("a directory");
        let book = Book::open(&Settings {
            path: dir.path().join("locum.db"),
            ..Settings::default()
        })?;
        let now = Timestamp::from_millis(1_000_000);
        let once = Once {
            key: "k".into(),
            person: "ada".into(),
            digest: "d".into(),
        };
        let other = Once {
            digest: "e".into(),
            ..once.clone()
        };
        let bo = Once {
            person: "bo".into(),
            ..once.clone()
        };
        book.write("testing", |tx| {
            assert_eq!(tx.claim(&once, now)?, Claim::New);
            assert_eq!(tx.claim(&once, now)?, Claim::Busy);
            assert_eq!(tx.claim(&other, now)?, Claim::Other);
            assert_eq!(tx.claim(&bo, now)?, Claim::New);
            assert_eq!(tx.claim(&once, now.plus(ABANDONED))?, Claim::Lost);
            tx.answer(&once, 201, "{}")?;
            assert_eq!(tx.claim(&once, now)?, Claim::Done(201, "{}".into()));
            tx.unclaim(&once)?;
            assert_eq!(tx.claim(&other, now)?, Claim::Other, "an answer stays");
            tx.unclaim(&bo)?;
            assert_eq!(tx.claim(&bo, now)?, Claim::New);
            Ok(())
        })
    }
}
