//! Answers a query: the index says where, the journal says what.

use super::Settings;
use super::error::IndexError;
use super::file::{check_version, read_end};
use super::page::{Found, Page};
use super::places::{self, Place};
use super::query::{Order, Query, Unfit, words};
use super::said::Said;
use super::wanted::Wanted;
use crate::model::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, InterruptHandle, OpenFlags, OptionalExtension as _, Rows};
use std::path::{Path, PathBuf};

/// Reads an index. Opened for each search: it holds nothing that another could spoil.
pub struct Searcher {
    sql: Connection,
    settings: Settings,
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
        let failed = || IndexError::sql(&self.settings.path);
        let indexed = read_end(&self.sql, &self.settings.path)?.position.next;
        let tags = query.tags()?;
        let rows = words(&query.text)?;
        let said = (!rows.is_empty()).then(|| Said::new(&rows)).transpose();
        let said = said.map_err(failed())?;
        let mut expression = Vec::new();
        expression.extend((!tags.is_anything()).then(|| tags.expression()));
        expression.extend(said.as_ref().map(|said| said.expression().to_owned()));
        let expression = (!expression.is_empty()).then(|| expression.join(" AND "));
        let mut page = Page::new(query, said, &self.settings);
        let (sql, values) = self.question(query, expression).map_err(failed())?;
        let mut question = self.sql.prepare_cached(&sql).map_err(failed())?;
        let rows = question.query(values).map_err(failed())?;
        let mut blocks = Blocks::new(rows, &tags, &self.settings.path);
        // Batches follow each other; the records of one are in several blocks.
        while let Some(places) = blocks.batch()? {
            if page.take(places)?.is_break() {
                break;
            }
        }
        Ok(page.found(indexed.saturating_sub(1)))
    }

    /// Asks for the blocks that may have such records, batch by batch in the order of the query.
    fn question(
        &self,
        query: &Query,
        expression: Option<String>,
    ) -> rusqlite::Result<(String, [Sql; 6])> {
        let (low, high) = self.bounds(query)?;
        let (low, high) = match (query.order, query.after) {
            (Order::Newest, Some(after)) => (low, high.min(signed(after) - 1)),
            (Order::Oldest, Some(after)) => (low.max(signed(after) + 1), high),
            (_, None) => (low, high),
        };
        let direction = match query.order {
            Order::Newest => "DESC",
            Order::Oldest => "ASC",
        };
        let (from, first) = match expression {
            Some(_) => (
                "words JOIN blocks b ON b.first = words.rowid WHERE words MATCH ?6 AND words.rowid",
                "words.rowid",
            ),
            None => ("blocks b WHERE ?6 IS NULL AND b.first", "b.first"),
        };
        let sql = format!(
            "SELECT b.batch, b.places FROM {from} BETWEEN ?1 AND ?2 AND b.last >= ?3
             AND b.until >= ?4 AND b.since < ?5 ORDER BY {first} {direction}"
        );
        let values: [Sql; 6] = [
            self.begin(low)?.into(),
            high.into(),
            low.into(),
            query.since.map_or(i64::MIN, Timestamp::millis).into(),
            query.until.map_or(i64::MAX, Timestamp::millis).into(),
            expression.map_or(Sql::Null, Sql::Text),
        ];
        Ok((sql, values))
    }

    /// The first sequence number of the batch that a record is in.
    fn begin(&self, sequence: i64) -> rusqlite::Result<i64> {
        let before = "SELECT batch FROM blocks WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
        let batch = self.sql.query_row(before, [sequence], |row| row.get(0));
        Ok(batch.optional()?.unwrap_or(sequence))
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

/// The records that an index points at, as its rows are read.
struct Blocks<'q> {
    rows: Rows<'q>,
    tags: &'q Wanted,
    path: &'q Path,
    /// What was read of the batch that comes next.
    ahead: Option<(i64, Vec<Place>)>,
}

impl<'q> Blocks<'q> {
    fn new(rows: Rows<'q>, tags: &'q Wanted, path: &'q Path) -> Self {
        Self {
            rows,
            tags,
            path,
            ahead: None,
        }
    }

    /// All records of the next batch that have the tags.
    fn batch(&mut self) -> Result<Option<Vec<Place>>, IndexError> {
        let failed = || IndexError::sql(self.path);
        while let Some(row) = self.rows.next().map_err(failed())? {
            let batch: i64 = row.get(0).map_err(failed())?;
            let places = row.get_ref(1).map_err(failed())?.as_blob().ok();
            let places =
                places.and_then(|row| places::read(row, |having| self.tags.records(having)));
            let mut places = places.ok_or_else(|| IndexError::Broken {
                path: self.path.into(),
                why: "it says not where records stand".to_owned(),
            })?;
            match &mut self.ahead {
                Some((this, known)) if *this == batch => known.append(&mut places),
                ahead => {
                    if let Some((_, whole)) = ahead.replace((batch, places)) {
                        return Ok(Some(whole));
                    }
                }
            }
        }
        Ok(self.ahead.take().map(|(_, places)| places))
    }
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
