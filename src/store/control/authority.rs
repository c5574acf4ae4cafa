//! Grants and sessions inside a transaction of the control plane's: what people agreed to becomes authority, or ends.

use super::{RowError, StoreError, Tx, failed};
use crate::model::SecretHash;
use crate::model::{Ended, Grant, GrantId, Lock, LockKey, SessionId, Timestamp};
use crate::store::sqlite::{locks, write};
use crate::store::{Issue, ReissueRefused, Revocation, Stored, Target};

/// Sessions that are not over, by what they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    Key(LockKey),
    /// Of this operator, other than break-glass.
    Ordinary(String),
}

impl Tx<'_> {
    /// Adds a grant with its pending session and start code.
    pub fn issue(&self, issue: &Issue) -> Result<(), StoreError> {
        write::issue(self.sql, issue).map_err(failed("storing a grant"))
    }

    /// A fresh start code; the old one is void.
    pub fn reissue(
        &self,
        grant: GrantId,
        code: SecretHash,
        expires: Timestamp,
    ) -> Result<Result<SessionId, ReissueRefused>, StoreError> {
        write::reissue_code(self.sql, grant, code, expires).map_err(failed("storing a start code"))
    }

    /// Ends what a grant, session or external token gave.
    pub fn revoke(&self, target: &Target, ended: &Ended) -> Result<Revocation, StoreError> {
        write::revoke(self.sql, target, ended).map_err(failed("revoking"))
    }

    /// Ends every open session of this key; the first cause of each stands.
    pub fn end_all(&self, key: &LockKey, ended: &Ended) -> Result<Vec<Stored>, StoreError> {
        let run = || -> Result<Vec<Stored>, RowError> {
            let open = self.open_of(key, None)?;
            for stored in &open {
                write::end(self.sql, stored.session.id, ended)?;
            }
            Ok(open)
        };
        run().map_err(failed("ending sessions"))
    }

    /// Open sessions (pending and live) of this key, newest first.
    pub fn open_sessions(&self, key: &LockKey, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.open_of(key, Some(limit))
            .map_err(failed("listing sessions"))
    }

    /// The session of that id with its grant.
    pub fn session(&self, id: SessionId) -> Result<Option<Stored>, StoreError> {
        write::session(self.sql, id).map_err(failed("reading a session"))
    }

    /// The grant of that id with its session.
    pub fn grant(&self, id: GrantId) -> Result<Option<Stored>, StoreError> {
        write::grant(self.sql, id).map_err(failed("reading a grant"))
    }

    /// A lock that holds at `now` on any of these keys.
    pub fn locked(&self, keys: &[LockKey], now: Timestamp) -> Result<Option<Lock>, StoreError> {
        locks::holding(self.sql, keys, now).map_err(failed("reading locks"))
    }

    /// A lock that holds at `now` on anything that this grant is for.
    pub fn locked_for(&self, grant: &Grant, now: Timestamp) -> Result<Option<Lock>, StoreError> {
        self.locked(&locks::keys(grant, None), now)
    }

    /// Opens a session as its start link does.
    #[cfg(test)]
    pub fn start_for_tests(&self, session: &str) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            let sql = "UPDATE sessions SET started_at = (SELECT issued_at FROM grants g WHERE g.id = grant_id) WHERE id = ?1";
            self.sql.execute(sql, [session])?;
            Ok(())
        };
        run().map_err(failed("opening a session"))
    }

    fn open_of(&self, key: &LockKey, limit: Option<usize>) -> Result<Vec<Stored>, RowError> {
        let column = match key {
            LockKey::Session(_) => "s.id",
            LockKey::Operator(_) => "g.operator",
            LockKey::Subject(_) => "g.subject",
            LockKey::Tenant(_) => "g.tenant",
            LockKey::Ticket(_) => "g.ticket",
            LockKey::App(_) => "g.app",
            LockKey::All => "''",
        };
        let most = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let wanted = key.folded();
        // SQLite folds ASCII only: what has other letters is compared below.
        let mut found = write::many(
            self.sql,
            &format!(
                "WHERE s.ended_at IS NULL
                 AND ({column} = ?1 OR lower({column}) = ?1 OR {column} GLOB '*[^ -~]*')
                 ORDER BY g.issued_at DESC, g.id DESC LIMIT ?2"
            ),
            rusqlite::params![wanted.value(), if *key == LockKey::All { most } else { -1 }],
        )?;
        let is_meant = |stored: &Stored| {
            let keys = locks::keys(&stored.grant, Some(stored.session.id));
            keys.iter().any(|key| key.folded() == wanted)
        };
        found.retain(is_meant);
        found.truncate(limit.unwrap_or(usize::MAX));
        Ok(found)
    }
}
