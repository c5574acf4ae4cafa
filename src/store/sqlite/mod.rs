//! The embedded store: one `SQLite` file that the server and the command line share.
//!
//! Write-ahead log with `synchronous=FULL`: what a call reported as done survives a power cut, and
//! readers never wait for writers. The file holds customer identifiers and hashes of secrets, so only
//! its owner may read it (mode 0600; `SQLite` gives its `-wal` and `-shm` files the same mode).

mod calls;
pub(in crate::store) mod locks;
mod rows;
mod schema;
pub(in crate::store) mod write;

pub(in crate::store) use rows::RowError;

use super::{
    Admission, AdmitRefused, Changes, Filter, GrantStore, Issue, Mark, RedeemRefused, Redemption,
    ReissueRefused, Revocation, State, StoreError, Stored, Target, Use, Version,
};
use crate::model::{Ended, GrantId, SecretHash, SessionId, Timestamp};
use parking_lot::Mutex;
use rows::COLUMNS;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the file is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Default `locum.db`.
    pub path: PathBuf,
    /// How long a call waits for another process's write. Default 5 s.
    pub busy_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("locum.db"),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// A [`GrantStore`] in one `SQLite` file.
#[derive(Debug)]
pub struct Sqlite {
    conn: Mutex<Connection>,
    /// For looking at what changed: reads here never wait for a write that holds `conn`. It never writes, so that
    /// `SQLite`'s `data_version`, which does not move for a connection's own writes, shows every write.
    watch: Mutex<Connection>,
}

impl Sqlite {
    /// Opens or makes the file, and brings its schema up to date.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        let path = settings.path.as_path();
        let open = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        restrict(path).map_err(|e| open(Box::new(e)))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(|e| open(Box::new(e)))?;
        prepare(&conn, settings).map_err(|source| StoreError::NotAStore {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        match schema::migrate(&mut conn) {
            Ok(schema::Migrated::Done) => {}
            Ok(schema::Migrated::Newer(found)) => {
                return Err(StoreError::NewerSchema {
                    path: path.to_owned(),
                    found,
                    known: schema::known(),
                });
            }
            Err(source) => {
                return Err(StoreError::NotAStore {
                    path: path.to_owned(),
                    source: Box::new(source),
                });
            }
        }
        let watch = watching(path, flags, settings).map_err(|e| open(Box::new(e)))?;
        Ok(Self {
            conn: Mutex::new(conn),
            watch: Mutex::new(watch),
        })
    }

    /// Runs `work` in one write transaction; commits if it returns `Ok`.
    fn write<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RowError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.conn.lock();
        let run = || -> Result<T, RowError> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let out = work(&tx)?;
            tx.commit()?;
            Ok(out)
        };
        run().map_err(|e| e.doing(doing))
    }

    /// One write transaction for the control plane's rows.
    pub(in crate::store) fn transact<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RowError>,
    ) -> Result<T, StoreError> {
        self.write(doing, work)
    }

    fn rows(
        &self,
        doing: &'static str,
        rest: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<Stored>, StoreError> {
        Self::rows_by(&self.conn, doing, rest, params)
    }

    fn rows_by(
        conn: &Mutex<Connection>,
        doing: &'static str,
        rest: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<Stored>, StoreError> {
        let conn = conn.lock();
        let run = || -> Result<Vec<Stored>, RowError> {
            let mut query = conn.prepare_cached(&select(rest))?;
            query.query(params)?.and_then(rows::stored).collect()
        };
        run().map_err(|e| e.doing(doing))
    }
}

/// A query for [`COLUMNS`], with what follows the join.
fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM sessions s JOIN grants g ON g.id = s.grant_id {rest}")
}

/// Makes the file if there is none, for its owner only, and takes rights from others if it has any.
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut new = std::fs::OpenOptions::new();
    match new.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // By path, not by a descriptor: closing one would drop this process's locks on the file
    // (sqlite.org/howtocorrupt.html §2.2).
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// A second connection, which only reads.
fn watching(path: &Path, flags: OpenFlags, settings: &Settings) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(settings.busy_timeout)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn prepare(conn: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    conn.busy_timeout(settings.busy_timeout)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

#[cfg(test)]
mod tests;
