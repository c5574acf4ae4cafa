//! Votes: one a person on one version of a request. The table's key is what makes a second vote impossible.

use super::{RowError, StoreError, Tx, failed};
use crate::model::{RequestId, Timestamp, Verdict, Vote};
use rusqlite::{OptionalExtension as _, params};

const COLUMNS: &str = "request, digest, person, account, name, verdict, reason, at, expires_at";

impl Tx<'_> {
    /// Adds a vote. `false`: this person has voted on this version of the request already.
    pub fn vote(&self, vote: &Vote) -> Result<bool, StoreError> {
        let run = || -> Result<usize, RowError> {
            let sql = format!(
                "INSERT INTO votes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO NOTHING"
            );
            Ok(self.sql.prepare_cached(&sql)?.execute(params![
                vote.request.to_string(),
                vote.digest,
                vote.person,
                vote.account,
                vote.name,
                vote.verdict.as_str(),
                vote.reason,
                vote.at.millis(),
                vote.expires_at.millis(),
            ])?)
        };
        Ok(run().map_err(failed("storing a vote"))? == 1)
    }

    /// All votes on a request, whatever version they were for, oldest first.
    pub fn votes(&self, request: RequestId) -> Result<Vec<Vote>, StoreError> {
        let run = || -> Result<Vec<Vote>, RowError> {
            let sql = format!("SELECT {COLUMNS} FROM votes WHERE request = ?1 ORDER BY at, person");
            let mut query = self.sql.prepare_cached(&sql)?;
            let rows = query.query_map([request.to_string()], |row| {
                let verdict: String = row.get(5)?;
                Ok(Vote {
                    request,
                    digest: row.get(1)?,
                    person: row.get(2)?,
                    account: row.get(3)?,
                    name: row.get(4)?,
                    verdict: match verdict.as_str() {
                        "approve" => Verdict::Approve,
                        _ => Verdict::Deny,
                    },
                    reason: row.get(6)?,
                    at: Timestamp::from_millis(row.get(7)?),
                    expires_at: Timestamp::from_millis(row.get(8)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        run().map_err(failed("reading votes"))
    }

    /// Keeps the customer's answer link of a request: only the hash of its secret.
    pub fn put_consent(
        &self,
        hash: &[u8; 32],
        request: RequestId,
        digest: &str,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached(
                    "INSERT INTO consents (hash, request, digest, expires_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![hash, request.to_string(), digest, expires.millis()])?;
            Ok(())
        };
        run().map_err(failed("storing a consent link"))
    }

    /// How many consent links there are.
    #[cfg(test)]
    pub fn consents(&self) -> Result<i64, StoreError> {
        let run = || -> Result<i64, RowError> {
            let count = "SELECT COUNT(*) FROM consents";
            Ok(self.sql.query_row(count, [], |row| row.get(0))?)
        };
        run().map_err(failed("counting consent links"))
    }

    /// Makes a consent link void.
    pub fn drop_consent(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached("DELETE FROM consents WHERE hash = ?1")?
                .execute([hash])?;
            Ok(())
        };
        run().map_err(failed("voiding a consent link"))
    }

    /// The request and digest that a consent link is for, if it is good at `now`.
    pub fn consent(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<(RequestId, String)>, StoreError> {
        let run = || -> Result<Option<(String, String)>, RowError> {
            Ok(self
                .sql
                .prepare_cached(
                    "SELECT request, digest FROM consents WHERE hash = ?1 AND expires_at > ?2",
                )?
                .query_row(params![hash, now.millis()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?)
        };
        let found = run().map_err(failed("reading a consent link"))?;
        Ok(found.and_then(|(request, digest)| Some((request.parse().ok()?, digest))))
    }
}
