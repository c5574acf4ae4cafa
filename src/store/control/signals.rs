//! What security events need of the store: each counts once, each ended session is told once to each receiver, and whom an
//! account stands for.

use super::{RowError, StoreError, Tx, failed};
use crate::model::Timestamp;
use crate::store::Stored;
use crate::store::sqlite::write;
use rusqlite::params;

/// What [`Tx::newly_ended`] found.
#[derive(Debug)]
pub struct NewlyEnded {
    /// Changed sessions that were looked at; as many as asked for: there may be more.
    pub read: usize,
    /// Those of them that are over.
    pub over: Vec<Stored>,
}

impl Tx<'_> {
    /// Notes that an issuer's event was heard. `false`: it was heard before.
    pub fn hear(
        &self,
        issuer: &str,
        jti: &str,
        forget_after: Timestamp,
    ) -> Result<bool, StoreError> {
        let run = || -> Result<usize, RowError> {
            Ok(self
                .sql
                .prepare_cached(
                    "INSERT INTO signals_heard (issuer, jti, forget_after) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![issuer, jti, forget_after.millis()])?)
        };
        Ok(run().map_err(failed("noting a security event"))? == 1)
    }

    /// Whether a ticket system's message was acted on before.
    pub fn was_acted_on(&self, system: &str, mark: &[u8; 32]) -> Result<bool, StoreError> {
        let run = || -> Result<bool, RowError> {
            Ok(self
                .sql
                .prepare_cached("SELECT 1 FROM hooks_heard WHERE system = ?1 AND mark = ?2")?
                .exists(params![system, mark])?)
        };
        run().map_err(failed("looking for a ticket system's message"))
    }

    /// Notes that a ticket system's message was acted on.
    pub fn acted_on(
        &self,
        system: &str,
        mark: &[u8; 32],
        forget_after: Timestamp,
    ) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached(
                    "INSERT INTO hooks_heard (system, mark, forget_after) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![system, mark, forget_after.millis()])?;
            Ok(())
        };
        run().map_err(failed("noting a ticket system's message"))
    }

    /// Sessions that have ended since this was last asked, oldest change first. With the changes of the same transaction
    /// they are dealt with for good.
    pub fn newly_ended(&self, limit: usize) -> Result<NewlyEnded, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = || -> Result<NewlyEnded, RowError> {
            let from: i64 = self
                .sql
                .prepare_cached("SELECT revision FROM transmitted")?
                .query_row([], |row| row.get(0))?;
            let changed = write::many(
                self.sql,
                "WHERE s.revision > ?1 ORDER BY s.revision LIMIT ?2",
                params![from, limit],
            )?;
            if let Some(last) = changed.last() {
                self.sql
                    .prepare_cached("UPDATE transmitted SET revision = ?1")?
                    .execute([last.revision])?;
            }
            let is_over = |stored: &Stored| stored.session.ended.is_some();
            Ok(NewlyEnded {
                read: changed.len(),
                over: changed.into_iter().filter(is_over).collect(),
            })
        };
        run().map_err(failed("reading ended sessions"))
    }

    /// Removes a person's logins, whatever their account and however they are typed. Returns how many there were.
    pub fn drop_logins_of(&self, person: &str) -> Result<usize, StoreError> {
        let run = || -> Result<usize, RowError> {
            Ok(self
                .sql
                .prepare_cached(
                    "DELETE FROM logins WHERE kind <> 'flow' AND person = ?1 COLLATE NOCASE",
                )?
                .execute([person])?)
        };
        run().map_err(failed("removing logins"))
    }

    /// The persons who have sessions open that this account asked for (`issued_by` is `request:<id>`).
    pub fn persons_of(&self, account: &str) -> Result<Vec<String>, StoreError> {
        let run = || -> Result<Vec<String>, RowError> {
            let mut query = self.sql.prepare_cached(
                "SELECT DISTINCT r.person FROM sessions s
                 JOIN grants g ON g.id = s.grant_id
                 JOIN requests r ON r.id = substr(json_extract(g.body, '$.issued_by'), 9)
                 WHERE s.ended_at IS NULL AND json_extract(r.body, '$.account') = ?1",
            )?;
            let rows = query.query_map([account], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        run().map_err(failed("reading whose account it is"))
    }
}
