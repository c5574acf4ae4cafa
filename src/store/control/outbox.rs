//! What happened, written with the change that it tells of; the journal takes it from here, each once and in order.

use super::{Book, RowError, StoreError, Tx, failed};
use crate::model::{Happened, Ledger, Reach, Timestamp};
use rusqlite::params;
use rusqlite::types::Value;

/// One of [`Happened`], as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub sequence: i64,
    pub happened: Happened,
}

impl Tx<'_> {
    /// Notes that something happened at `now`.
    pub fn note(&self, mut happened: Happened, now: Timestamp) -> Result<(), StoreError> {
        happened.at = Some(now);
        let run = || -> Result<(), RowError> {
            let body = serde_json::to_string(&happened).map_err(|error| RowError::Corrupt {
                what: "event",
                detail: error.to_string(),
            })?;
            self.sql
                .prepare_cached(
                    "INSERT INTO happenings (at, code, tenant, app, request, session, actor, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    now.millis(),
                    happened.code,
                    happened.tenant,
                    happened.app,
                    happened.request,
                    happened.session,
                    happened.actor,
                    body
                ])?;
            Ok(())
        };
        run().map_err(failed("noting what happened"))
    }

    /// What happened to one session or request, oldest first.
    pub fn history(&self, id: &str) -> Result<Vec<Noted>, StoreError> {
        self.noted(
            "(session = ?1 OR request = ?1) ORDER BY sequence LIMIT 1000",
            vec![id.to_owned().into()],
        )
    }

    /// What happened lately in any of these (tenants, apps), newest first, before `before` where that is given.
    pub fn lately(
        &self,
        seats: &[(Reach, Reach)],
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Noted>, StoreError> {
        let mut values: Vec<Value> = vec![before.unwrap_or(i64::MAX).into()];
        let mut within = |column: &str, reach: &Reach| match reach {
            Reach::All => "1".to_owned(),
            Reach::Only(names) => {
                values.extend(names.iter().cloned().map(Value::from));
                format!("{column} IN ({})", vec!["?"; names.len()].join(", "))
            }
        };
        let mut any = vec!["0".to_owned()];
        for (tenants, apps) in seats {
            let tenant = within("tenant", tenants);
            any.push(format!("({tenant} AND {})", within("app", apps)));
        }
        let any = any.join(" OR ");
        let limit = limit.clamp(1, 1_000);
        let rest = format!("sequence < ? AND ({any}) ORDER BY sequence DESC LIMIT {limit}");
        self.noted(&rest, values)
    }

    fn noted(&self, rest: &str, values: Vec<Value>) -> Result<Vec<Noted>, StoreError> {
        let run = || -> Result<Vec<Noted>, RowError> {
            let sql = format!("SELECT sequence, body FROM happenings WHERE {rest}");
            let mut query = self.sql.prepare_cached(&sql)?;
            let rows = query.query_map(rusqlite::params_from_iter(values), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            rows.map(|row| {
                let (sequence, body) = row?;
                let happened = serde_json::from_str(&body).map_err(|error| RowError::Corrupt {
                    what: "event",
                    detail: error.to_string(),
                })?;
                Ok(Noted { sequence, happened })
            })
            .collect()
        };
        run().map_err(failed("reading what happened"))
    }
}

impl Ledger for Book {
    type Error = StoreError;

    /// A serving Locum takes it to the journal at once, else the next one that serves.
    fn put(&self, happened: Happened) -> Result<(), StoreError> {
        self.write("putting on record what happens", |tx| {
            tx.note(happened, Timestamp::now())
        })
    }
}

impl Book {
    /// What is not in the journal yet, oldest first.
    pub fn unrecorded(&self, limit: usize) -> Result<Vec<Noted>, StoreError> {
        let limit = limit.clamp(1, 1_000);
        self.file.transact("reading what happened", |sql| {
            let rest = format!("recorded = 0 ORDER BY sequence LIMIT {limit}");
            Tx { sql }.noted(&rest, Vec::new()).map_err(RowError::from)
        })
    }

    /// These are in the journal now, up to this one.
    pub fn recorded_up_to(&self, sequence: i64) -> Result<(), StoreError> {
        self.file.transact("marking what is recorded", |sql| {
            sql.prepare_cached(
                "UPDATE happenings SET recorded = 1 WHERE recorded = 0 AND sequence <= ?1",
            )?
            .execute([sequence])?;
            Ok(())
        })
    }

    /// Forgets what is recorded and older than `before`, and secrets that are dead at `now`.
    pub fn purge(&self, now: Timestamp, before: Timestamp) -> Result<usize, StoreError> {
        self.file.transact("forgetting what is old", |sql| {
            let mut gone = sql.execute(
                "DELETE FROM happenings WHERE recorded = 1 AND at < ?1",
                [before.millis()],
            )?;
            gone += sql.execute("DELETE FROM logins WHERE expires_at < ?1", [now.millis()])?;
            gone += sql.execute("DELETE FROM consents WHERE expires_at < ?1", [now.millis()])?;
            gone += sql.execute("DELETE FROM answers WHERE at < ?1", [before.millis()])?;
            gone += sql.execute(
                "DELETE FROM signals_heard WHERE forget_after < ?1",
                [now.millis()],
            )?;
            gone += sql.execute(
                "DELETE FROM hooks_heard WHERE forget_after < ?1",
                [now.millis()],
            )?;
            gone += sql.execute(
                "DELETE FROM alerts WHERE due IS NULL AND at < ?1",
                [before.millis()],
            )?;
            // Nobody tries those of a receiver that is configured no more.
            gone += sql.execute(
                "DELETE FROM transmissions WHERE at < ?1 AND (due IS NULL OR due < ?1)",
                [before.millis()],
            )?;
            Ok(gone)
        })
    }
}
