//! The contract of [`GrantStore`] on the file: reads here, the transactions of the writes in `write`.

use super::{
    Admission, AdmitRefused, Changes, Ended, Filter, GrantId, GrantStore, Issue, Mark,
    RedeemRefused, Redemption, ReissueRefused, Revocation, RowError, SecretHash, SessionId, Sqlite,
    State, StoreError, Stored, Target, Timestamp, Use, Version, write,
};
use crate::model::EndCause;
use rusqlite::params;

/// How many rows a list without a limit returns.
const DEFAULT_LIMIT: usize = 1_000;

impl GrantStore for Sqlite {
    fn issue(&self, issue: &Issue) -> Result<(), StoreError> {
        self.write("storing a grant", |tx| write::issue(tx, issue))
    }

    fn reissue_code(
        &self,
        grant: GrantId,
        code: SecretHash,
        code_expires: Timestamp,
    ) -> Result<Result<SessionId, ReissueRefused>, StoreError> {
        self.write("storing a start code", |tx| {
            write::reissue_code(tx, grant, code, code_expires)
        })
    }

    fn redeem(&self, with: &Redemption) -> Result<Result<Stored, RedeemRefused>, StoreError> {
        self.write("redeeming a start code", |tx| write::redeem(tx, with))
    }

    fn admit(&self, admission: &Admission) -> Result<Result<Stored, AdmitRefused>, StoreError> {
        self.write("admitting an external grant", |tx| {
            write::admit(tx, admission)
        })
    }

    fn end(&self, ends: &[(SessionId, Ended)]) -> Result<Vec<Option<Ended>>, StoreError> {
        self.write("ending sessions", |tx| {
            ends.iter()
                .map(|(id, ended)| Ok(write::end(tx, *id, ended)?.map(|(_, ended)| ended)))
                .collect()
        })
    }

    fn revoke(&self, target: &Target, by: &str, at: Timestamp) -> Result<Revocation, StoreError> {
        let ended = Ended {
            cause: EndCause::Revoked,
            at,
            by: by.to_owned(),
        };
        self.write("revoking", |tx| write::revoke(tx, target, &ended))
    }

    fn find_grant(&self, id: GrantId) -> Result<Option<Stored>, StoreError> {
        let found = self.rows("reading a grant", "WHERE g.id = ?1", [id.to_string()])?;
        Ok(found.into_iter().next())
    }

    fn find_session(&self, id: SessionId) -> Result<Option<Stored>, StoreError> {
        let found = self.rows("reading a session", "WHERE s.id = ?1", [id.to_string()])?;
        Ok(found.into_iter().next())
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Stored>, StoreError> {
        let limit = match filter.limit {
            0 => DEFAULT_LIMIT,
            some => some,
        };
        self.rows(
            "listing grants",
            "WHERE (?1 IS NULL OR g.app = ?1)
               AND (?2 IS NULL OR g.operator = ?2)
               AND (?3 IS NULL OR g.subject = ?3)
               AND (?4 IS NULL OR g.tenant = ?4)
               AND (?5 IS NULL OR g.ticket = ?5)
               AND (?6 IS NULL OR json_extract(g.body, '$.external_id') = ?6)
               AND (?7 IS NULL OR ?7 = CASE WHEN s.ended_at IS NOT NULL THEN 'ended'
                                            WHEN s.started_at IS NOT NULL THEN 'live'
                                            ELSE 'pending' END)
             ORDER BY g.issued_at DESC, g.id DESC LIMIT ?8",
            params![
                filter.app,
                filter.operator,
                filter.subject,
                filter.tenant,
                filter.ticket,
                filter.external_id,
                filter.state.map(State::as_str),
                at_most(limit),
            ],
        )
    }

    fn revision(&self) -> Result<i64, StoreError> {
        let conn = self.conn.lock();
        let run = || -> Result<i64, RowError> {
            let mut query = conn.prepare_cached("SELECT revision FROM counter")?;
            Ok(query.query_row([], |row| row.get(0))?)
        };
        run().map_err(|e| e.doing("reading the revision"))
    }

    fn open_after(
        &self,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        // No id is empty, so the first page begins with the first.
        let after = after.map_or_else(String::new, |id| id.to_string());
        self.rows(
            "loading sessions",
            "WHERE s.ended_at IS NULL AND s.id > ?1 ORDER BY s.id LIMIT ?2",
            params![after, at_most(limit)],
        )
    }

    fn open_count(&self) -> Result<usize, StoreError> {
        let conn = self.conn.lock();
        // All less the ended ones: each comes from an index alone, where counting the open ones reads every row of theirs.
        let run = || -> Result<i64, RowError> {
            let mut query = conn.prepare_cached(
                "SELECT (SELECT count(*) FROM sessions)
                      - (SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL)",
            )?;
            Ok(query.query_row([], |row| row.get(0))?)
        };
        let count = run().map_err(|e| e.doing("counting sessions"))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn ended_before(
        &self,
        before: Option<(Timestamp, SessionId)>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| {
            (at.millis(), id.to_string())
        });
        // The first half of the condition is what the index is searched by.
        self.rows(
            "loading ended sessions",
            "WHERE s.ended_at <= ?1 AND (s.ended_at, s.id) < (?1, ?2)
             ORDER BY s.ended_at DESC, s.id DESC LIMIT ?3",
            params![at, id, at_most(limit)],
        )
    }

    fn version(&self) -> Result<Version, StoreError> {
        let conn = self.watch.lock();
        let run = || -> Result<i64, RowError> {
            let mut query = conn.prepare_cached("PRAGMA data_version")?;
            Ok(query.query_row([], |row| row.get(0))?)
        };
        let version = run().map_err(|e| e.doing("asking for changes"))?;
        Ok(Version(version.unsigned_abs()))
    }

    fn changes_since(&self, revision: i64) -> Result<Changes, StoreError> {
        let rows = Self::rows_by(
            &self.watch,
            "reading changes",
            "WHERE s.revision > ?1 ORDER BY s.revision",
            [revision],
        )?;
        let revision = rows.last().map_or(revision, |row| row.revision);
        Ok(Changes { rows, revision })
    }

    fn touch(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.write("noting use", |tx| write::touch(tx, uses))
    }

    fn mark_recorded(&self, marks: &[(SessionId, Mark)]) -> Result<(), StoreError> {
        self.write("noting recorded events", |tx| {
            write::mark_recorded(tx, marks)
        })
    }

    fn unrecorded(&self, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.rows(
            "reading unrecorded events",
            "WHERE s.recorded <> 1 | ((s.started_at IS NOT NULL) << 1) | ((s.ended_at IS NOT NULL) << 2)
             ORDER BY s.revision LIMIT ?1",
            [at_most(limit)],
        )
    }

    fn purge(&self, now: Timestamp, ended_before: Timestamp) -> Result<usize, StoreError> {
        self.write("forgetting old grants", |tx| {
            write::purge(tx, now, ended_before)
        })
    }
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
