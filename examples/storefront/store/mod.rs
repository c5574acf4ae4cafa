//! The shop's data: one `SQLite` file.

pub(crate) mod catalogue;
pub(crate) mod customers;
pub(crate) mod orders;
pub(crate) mod password;
mod seed;

use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The one connection; every piece of work on it is short.
pub(crate) struct Store(Mutex<Connection>);

impl Store {
    /// Opens `DIR/shop.db`, or a database in memory, and seeds it where it is new.
    pub(crate) fn open(dir: Option<&Path>) -> rusqlite::Result<Self> {
        let mut db = match dir {
            Some(dir) => Connection::open(dir.join("shop.db"))?,
            None => Connection::open_in_memory()?,
        };
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.execute_batch(include_str!("schema.sql"))?;
        let customers: i64 =
            db.query_row("SELECT count(*) FROM customers", [], |row| row.get(0))?;
        if customers == 0 {
            seed::fill(&mut db)?;
        }
        Ok(Self(Mutex::new(db)))
    }

    /// Does `work` with the connection.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        work(&self.0.lock())
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// `14 March 2026`, UTC.
pub(crate) fn day(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.strftime("%-d %B %Y").to_string())
        .unwrap_or_default()
}

/// Cents as `€48.00`.
pub(crate) fn euros(cents: i64) -> String {
    format!("€{}.{:02}", cents / 100, cents % 100)
}
