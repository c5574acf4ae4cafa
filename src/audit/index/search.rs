//! Answers a query: the index says where, the journal says what.

use super::Settings;
use super::error::IndexError;
use super::file::{check_version, read_end};
use super::pointer::{Pointer, Shelf, Stands};
use super::query::{Order, Query, Unfit};
use crate::audit::sink::Record;
use crate::audit::tail::Entry;
use crate::model::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use std::path::PathBuf;

/// Pointers looked at for each record that may be given back, where the records themselves are not what was looked for.
const LOOKED_AT: usize = 20;

/// Reads an index. Opened for each search: it holds nothing that another could spoil.
pub struct Searcher {
    sql: Connection,
    settings: Settings,
}

/// One page of what was found.
#[derive(Debug, Default)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// Give it as [`Query::after`] for the next page; `None`: that was all.
    pub next: Option<u64>,
    /// Records that the index points at and the journal does not have so.
    pub faults: Vec<Fault>,
    /// The last sequence number that is indexed.
    pub indexed: u64,
}

/// A record that is not what was indexed: the journal was changed after it was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    pub sequence: u64,
    pub why: &'static str,
}

/// Why a search did not happen.
#[derive(Debug)]
pub enum Failed {
    Query(Unfit),
    Index(IndexError),
}

impl From<IndexError> for Failed {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<Unfit> for Failed {
    fn from(unfit: Unfit) -> Self {
        Self::Query(unfit)
    }
}

impl Searcher {
    /// Opens the index for reading.
    ///
    /// # Errors
    /// Where there is none, or it cannot be used.
    pub fn open(settings: Settings) -> Result<Self, IndexError> {
        let path = &settings.path;
        if !path.try_exists().map_err(IndexError::io(path))? {
            return Err(IndexError::Absent { path: path.clone() });
        }
        let sql = connect(&settings)?;
        check_version(&sql, path)?;
        Ok(Self { sql, settings })
    }

    /// Stops a search from another thread.
    pub fn stopper(&self) -> InterruptHandle {
        self.sql.get_interrupt_handle()
    }

    /// Finds one page.
    ///
    /// # Errors
    /// Where the query makes no sense, the index does not answer, or a segment cannot be read.
    pub fn search(&self, query: &Query) -> Result<Found, Failed> {
        let indexed = read_end(&self.sql, &self.settings.path)?.position.next;
        let mut found = Found {
            indexed: indexed.saturating_sub(1),
            ..Found::default()
        };
        let expression = query.expression()?;
        let limit = query.limit.max(1);
        let mut shelf = Shelf::new(&self.settings.journal);
        let (mut after, mut looked_at) = (query.after, 0);
        // One more than asked for tells whether there is a next page.
        while found.entries.len() + found.faults.len() <= limit {
            let wanted = limit + 1 - found.entries.len() - found.faults.len();
            let pointers = self.pointers(query, expression.as_deref(), after, wanted)?;
            let is_last = pointers.len() < wanted;
            for pointer in &pointers {
                after = Some(pointer.seq);
                self.read(&mut shelf, pointer, query, &mut found)?;
            }
            looked_at += pointers.len();
            if is_last || looked_at >= limit.saturating_mul(LOOKED_AT) {
                found.next = after.filter(|_| !is_last);
                break;
            }
        }
        trim(&mut found, limit, query.order);
        Ok(found)
    }

    fn read(
        &self,
        shelf: &mut Shelf,
        pointer: &Pointer,
        query: &Query,
        found: &mut Found,
    ) -> Result<(), IndexError> {
        let journal = || IndexError::io(&self.settings.journal);
        match shelf.read(pointer).map_err(journal())? {
            Stands::Other(why) => found.faults.push(Fault {
                sequence: pointer.seq,
                why,
            }),
            Stands::Record(line) => {
                let record = Record {
                    seq: pointer.seq,
                    line,
                };
                let entry = Entry::parse(record).map_err(journal())?;
                // A tag is a hash: two values may share one.
                if query.takes(&entry.json) {
                    found.entries.push(entry);
                }
            }
        }
        Ok(())
    }

    fn pointers(
        &self,
        query: &Query,
        expression: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Pointer>, IndexError> {
        let failed = || IndexError::sql(&self.settings.path);
        let (mut low, mut high) = self.bounds(query).map_err(failed())?;
        match (query.order, after) {
            (Order::Newest, Some(after)) => high = high.min(signed(after) - 1),
            (Order::Oldest, Some(after)) => low = low.max(signed(after) + 1),
            (_, None) => {}
        }
        let direction = match query.order {
            Order::Newest => "DESC",
            Order::Oldest => "ASC",
        };
        let (from, seq) = match expression {
            Some(_) => (
                "words JOIN records r ON r.seq = words.rowid WHERE words MATCH ?6 AND words.rowid",
                "words.rowid",
            ),
            None => ("records r WHERE ?6 IS NULL AND r.seq", "r.seq"),
        };
        let sql = format!(
            "SELECT r.seq, r.segment, r.offset, r.mark FROM {from} BETWEEN ?1 AND ?2
             AND r.time >= ?3 AND r.time < ?4 ORDER BY {seq} {direction} LIMIT ?5"
        );
        let since = query.since.map_or(i64::MIN, Timestamp::millis);
        let until = query.until.map_or(i64::MAX, Timestamp::millis);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [Sql; 6] = [
            low.into(),
            high.into(),
            since.into(),
            until.into(),
            limit.into(),
            expression.map_or(Sql::Null, |it| it.to_owned().into()),
        ];
        let read = || -> rusqlite::Result<Vec<Pointer>> {
            let mut found = self.sql.prepare_cached(&sql)?;
            let rows = found.query_map(values, |row| {
                let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
                Ok(Pointer {
                    seq: number(0)?,
                    segment: number(1)?,
                    offset: number(2)?,
                    mark: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(failed())
    }

    /// Sequence numbers between which every record of the time asked for stands. Time runs almost as they do, so that a
    /// short time is a short stretch of the index.
    fn bounds(&self, query: &Query) -> rusqlite::Result<(i64, i64)> {
        if query.since.is_none() && query.until.is_none() {
            return Ok((1, i64::MAX));
        }
        let minute = |at: i64| at.div_euclid(60_000);
        let since = query.since.map_or(i64::MIN, |at| minute(at.millis()));
        let until = query.until.map_or(i64::MAX, |at| minute(at.millis()));
        self.sql.query_row(
            "SELECT ifnull(min(first), 1), ifnull(max(last), 0) FROM minutes WHERE minute BETWEEN ?1 AND ?2",
            [since, until],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }
}

/// Leaves what was read beyond the page to the next one.
fn trim(found: &mut Found, limit: usize, order: Order) {
    if found.entries.len() + found.faults.len() <= limit {
        return;
    }
    let mut all: Vec<u64> = found.entries.iter().map(|it| it.sequence).collect();
    all.extend(found.faults.iter().map(|it| it.sequence));
    all.sort_unstable();
    if order == Order::Newest {
        all.reverse();
    }
    let Some(last) = limit.checked_sub(1).and_then(|at| all.get(at)).copied() else {
        return;
    };
    let is_before = |sequence: u64| match order {
        Order::Newest => sequence >= last,
        Order::Oldest => sequence <= last,
    };
    found.entries.retain(|it| is_before(it.sequence));
    found.faults.retain(|it| is_before(it.sequence));
    found.next = Some(last);
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// An index in a place that nobody may write needs to be told that nobody does.
/// <https://www.sqlite.org/wal.html#read_only_databases>
fn connect(settings: &Settings) -> Result<Connection, IndexError> {
    let path = &settings.path;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |name: PathBuf, flags| -> rusqlite::Result<Connection> {
        let sql = Connection::open_with_flags(name, flags)?;
        let kib = i64::try_from(settings.cache_bytes / 1024).unwrap_or(i64::MAX);
        sql.busy_timeout(std::time::Duration::from_secs(2))?;
        sql.pragma_update(None, "cache_size", -kib)?;
        sql.pragma_update(None, "trusted_schema", false)?;
        sql.pragma_query_value(None, "user_version", |_| Ok(()))?;
        Ok(sql)
    };
    match open(path.clone(), flags) {
        Ok(sql) => Ok(sql),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) => {
            let name = url::Url::from_file_path(path)
                .map(|url| format!("{url}?immutable=1"))
                .map_err(|()| IndexError::Absent { path: path.clone() })?;
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            open(name.into(), flags).map_err(IndexError::sql(path))
        }
        Err(error) => Err(IndexError::sql(path)(error)),
    }
}
