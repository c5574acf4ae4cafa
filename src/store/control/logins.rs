//! Secrets that stand for somebody who signed in, or is about to: only their hashes are kept.

use super::{RowError, StoreError, Tx, failed};
use crate::model::{SecretHash, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// What a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// A browser's cookie at the portal.
    Portal,
    /// A bearer token of the API.
    Api,
    /// A sign-in under way: what it is for waits for the answer. Used once.
    Flow,
    /// A command line's sign-in under way, where there is no provider to keep it.
    Device,
    /// A token that was shown once and must not be again.
    Seen,
}

impl LoginKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Portal => "portal",
            Self::Api => "api",
            Self::Flow => "flow",
            Self::Device => "device",
            Self::Seen => "seen",
        }
    }
}

/// One login. `body` is JSON of its maker's.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub hash: SecretHash,
    pub kind: LoginKind,
    /// [`crate::model::Caller::person`]; empty for a flow.
    pub person: String,
    pub account: String,
    /// The identity provider's session (`sid`), for back-channel logout. Empty: none.
    pub sid: String,
    pub expires_at: Timestamp,
    pub last_used: Timestamp,
    pub body: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({:?}, {})", self.kind, self.person)
    }
}

impl Tx<'_> {
    pub fn put_login(&self, login: &Login) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached(
                    "INSERT INTO logins (hash, kind, person, account, sid, expires_at, last_used, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    login.hash.as_bytes(),
                    login.kind.as_str(),
                    login.person,
                    login.account,
                    login.sid,
                    login.expires_at.millis(),
                    login.last_used.millis(),
                    login.body
                ])?;
            Ok(())
        };
        run().map_err(failed("storing a login"))
    }

    /// The login of this secret and kind, if it is good at `now`.
    pub fn login(
        &self,
        hash: SecretHash,
        kind: LoginKind,
        now: Timestamp,
    ) -> Result<Option<Login>, StoreError> {
        let run = || -> Result<Option<Login>, RowError> {
            Ok(self
                .sql
                .prepare_cached(
                    "SELECT person, account, sid, expires_at, last_used, body FROM logins
                     WHERE hash = ?1 AND kind = ?2 AND expires_at > ?3",
                )?
                .query_row(
                    params![hash.as_bytes(), kind.as_str(), now.millis()],
                    |row| {
                        Ok(Login {
                            hash,
                            kind,
                            person: row.get(0)?,
                            account: row.get(1)?,
                            sid: row.get(2)?,
                            expires_at: Timestamp::from_millis(row.get(3)?),
                            last_used: Timestamp::from_millis(row.get(4)?),
                            body: row.get(5)?,
                        })
                    },
                )
                .optional()?)
        };
        run().map_err(failed("reading a login"))
    }

    /// How many of a kind are good at `now`; counts no further than `most`.
    pub fn count_logins(
        &self,
        kind: LoginKind,
        most: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let run = || -> Result<usize, RowError> {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let count: i64 = self
                .sql
                .prepare_cached(
                    "SELECT count(*) FROM
                       (SELECT 1 FROM logins WHERE expires_at > ?2 AND kind = ?1 LIMIT ?3)",
                )?
                .query_row(params![kind.as_str(), now.millis(), most], |row| row.get(0))?;
            Ok(usize::try_from(count).unwrap_or(usize::MAX))
        };
        run().map_err(failed("counting logins"))
    }

    /// Notes a use.
    pub fn touch_login(&self, hash: SecretHash, now: Timestamp) -> Result<(), StoreError> {
        let run = || -> Result<(), RowError> {
            self.sql
                .prepare_cached("UPDATE logins SET last_used = ?2 WHERE hash = ?1")?
                .execute(params![hash.as_bytes(), now.millis()])?;
            Ok(())
        };
        run().map_err(failed("noting a login's use"))
    }

    /// Removes one. `false`: there was none.
    pub fn drop_login(&self, hash: SecretHash) -> Result<bool, StoreError> {
        let run = || -> Result<usize, RowError> {
            Ok(self
                .sql
                .prepare_cached("DELETE FROM logins WHERE hash = ?1")?
                .execute([hash.as_bytes()])?)
        };
        Ok(run().map_err(failed("removing a login"))? == 1)
    }

    /// Removes all of one account's logins, or of one session at the identity provider. Returns the persons that they
    /// stood for.
    pub fn drop_logins(&self, account: &str, sid: &str) -> Result<Vec<String>, StoreError> {
        let run = || -> Result<Vec<String>, RowError> {
            let mut query = self.sql.prepare_cached(
                "DELETE FROM logins WHERE kind <> 'flow'
                   AND ((?1 <> '' AND account = ?1) OR (?2 <> '' AND sid = ?2))
                 RETURNING person",
            )?;
            let rows = query.query_map([account, sid], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        run().map_err(failed("removing logins"))
    }
}
