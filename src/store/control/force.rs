//! The rules that are in force: written before they decide anything, so that a start can tell whether they changed meanwhile.

use super::{RowError, StoreError, Tx, failed};
use crate::model::{Manifest, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// [`Manifest::digest`].
    pub digest: String,
    /// People who must agree to a change of it; 0: nobody.
    pub votes: u8,
    /// Persons whose change it may be: none of them votes.
    pub authors: Vec<String>,
    pub since: Timestamp,
    pub manifest: Manifest,
}

fn corrupt(error: &serde_json::Error) -> RowError {
    RowError::Corrupt {
        what: "rules in force",
        detail: error.to_string(),
    }
}

impl Tx<'_> {
    /// `None`: nothing was ever in force here.
    pub fn in_force(&self) -> Result<Option<InForce>, StoreError> {
        let run = || -> Result<Option<InForce>, RowError> {
            let found = self
                .sql
                .prepare_cached("SELECT digest, votes, authors, since, manifest FROM in_force")?
                .query_row([], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, u8>(1)?,
                        row.get::<_, String>(2)?,
                        row.get::<_, i64>(3)?,
                        row.get::<_, String>(4)?,
                    ))
                })
                .optional()?;
            let Some((digest, votes, authors, since, manifest)) = found else {
                return Ok(None);
            };
            Ok(Some(InForce {
                digest,
                votes,
                authors: serde_json::from_str(&authors).map_err(|error| corrupt(&error))?,
                since: Timestamp::from_millis(since),
                manifest: serde_json::from_str(&manifest).map_err(|error| corrupt(&error))?,
            }))
        };
        run().map_err(failed("reading the rules in force"))
    }

    /// Replaces what is in force.
    pub fn put_in_force(&self, it: &InForce) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            let authors = serde_json::to_string(&it.authors).map_err(|error| corrupt(&error))?;
            let manifest = serde_json::to_string(&it.manifest).map_err(|error| corrupt(&error))?;
            self.sql
                .prepare_cached(
                    "INSERT INTO in_force (one, digest, votes, authors, since, manifest)
                     VALUES (1, ?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (one) DO UPDATE SET digest = ?1, votes = ?2, authors = ?3,
                     since = ?4, manifest = ?5",
                )?
                .execute(params![
                    it.digest,
                    it.votes,
                    authors,
                    it.since.millis(),
                    manifest
                ])?;
            Ok(())
        };
        run().map_err(failed("writing the rules in force"))
    }
}
