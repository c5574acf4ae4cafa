//! The index's file: `SQLite` with a full-text table of tags and words, and the places of the records that have them.

use super::Settings;
use super::block::Block;
use super::error::IndexError;
use super::pointer::{self, Pointer};
use crate::audit::sink::Position;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Changes whenever what stands in the file, or what tags are made of, changes.
pub(super) const VERSION: i32 = 2;

/// `LOCI`: the file is an index of ours. <https://www.sqlite.org/pragma.html#pragma_application_id>
const APPLICATION: i32 = 0x4c4f_4349;

/// A row of `words` and one of `blocks`, by the first sequence number of its records, are a block. Blocks of one batch may
/// reach into each other; those of two batches do not: `batch` is the first sequence number of all that were written
/// together. Of the words only the rows they occur in are kept (`content=''`, `detail=none`): a row of words is found at
/// the records. Segments of the full-text table are merged late: what is written once is written again less often.
const SCHEMA: &str = "
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL, segment INTEGER NOT NULL,
    offset INTEGER NOT NULL, last_segment INTEGER NOT NULL, last_offset INTEGER NOT NULL, last_mark INTEGER NOT NULL);
INSERT INTO state VALUES (1, 1, 0, 0, 0, 0, 0);
CREATE TABLE blocks (first INTEGER PRIMARY KEY, batch INTEGER NOT NULL, last INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER NOT NULL, places BLOB NOT NULL);
CREATE TABLE minutes (minute INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(said, content='', columnsize=0, detail=none,
    tokenize=\"unicode61 remove_diacritics 0\");
INSERT INTO words (words, rank) VALUES ('automerge', 8);
";

/// The file, open for writing. One process at a time: see [`super::feed::Feed`].
pub(super) struct File {
    sql: Connection,
    path: PathBuf,
    /// Which file it is, to notice that somebody took it away.
    inode: u64,
}

/// What is written together.
pub(super) struct Written<'a> {
    /// In the order of their first records.
    pub(super) blocks: &'a [Block],
    /// For each minute the first and the last sequence number.
    pub(super) minutes: &'a BTreeMap<i64, (u64, u64)>,
    /// The last record.
    pub(super) last: Pointer,
    /// Where to go on.
    pub(super) next: Position,
}

/// Where the index ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Before the record to index next.
    pub(super) position: Position,
    /// The last record that was indexed, if any.
    pub(super) last: Option<Pointer>,
}

/// Takes an index away that cannot be used; whoever keeps it makes a new one.
///
/// # Errors
/// Where the file is there and cannot be removed.
pub fn discard(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `SQLite`'s own files beside it.
fn beside(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

impl File {
    /// Opens the index that is there.
    ///
    /// # Errors
    /// [`IndexError::Absent`] and [`IndexError::Broken`] where a new one must be made.
    pub(super) fn open(settings: &Settings) -> Result<Self, IndexError> {
        let path = &settings.path;
        if !path.try_exists().map_err(IndexError::io(path))? {
            return Err(IndexError::Absent { path: path.clone() });
        }
        let file = Self::connect(settings)?;
        check_version(&file.sql, path)?;
        file.end()?;
        Ok(file)
    }

    /// Makes a new one in place of whatever is there.
    pub(super) fn create(settings: &Settings) -> Result<Self, IndexError> {
        let path = &settings.path;
        discard(path).map_err(IndexError::io(path))?;
        for file in beside(path) {
            discard(&file).map_err(IndexError::io(&file))?;
        }
        let mut new = fs::OpenOptions::new();
        new.write(true).create_new(true).mode(0o600);
        new.open(path).map_err(IndexError::io(path))?;
        let file = Self::connect(settings)?;
        let failed = || IndexError::sql(path);
        file.sql.execute_batch(SCHEMA).map_err(failed())?;
        file.sql
            .pragma_update(None, "application_id", APPLICATION)
            .map_err(failed())?;
        file.sql
            .pragma_update(None, "user_version", VERSION)
            .map_err(failed())?;
        Ok(file)
    }

    fn connect(settings: &Settings) -> Result<Self, IndexError> {
        let path = &settings.path;
        let failed = || IndexError::sql(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = Connection::open_with_flags(path, flags).map_err(failed())?;
        let kib = i64::try_from(settings.cache_bytes / 1024).unwrap_or(i64::MAX);
        let set = || -> rusqlite::Result<()> {
            sql.busy_timeout(std::time::Duration::from_secs(5))?;
            sql.pragma_update(None, "journal_mode", "WAL")?;
            // What a loss of power takes from an index is read again from the journal.
            sql.pragma_update(None, "synchronous", "NORMAL")?;
            sql.pragma_update(None, "cache_size", -kib)?;
            sql.pragma_update(None, "trusted_schema", false)
        };
        set().map_err(failed())?;
        let inode = fs::metadata(path).map_err(IndexError::io(path))?.ino();
        Ok(Self {
            sql,
            path: path.clone(),
            inode,
        })
    }

    /// Whether the file that was opened is still the one that searches find.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|it| it.ino() == self.inode)
    }

    pub(super) fn end(&self) -> Result<End, IndexError> {
        read_end(&self.sql, &self.path)
    }

    /// Adds a batch and where to go on, all or nothing.
    pub(super) fn add(
        &mut self,
        batch: &Written<'_>,
        after_each: impl FnMut(),
    ) -> Result<(), IndexError> {
        let path = self.path.clone();
        self.write(batch, after_each).map_err(IndexError::sql(path))
    }

    fn write(&mut self, batch: &Written<'_>, mut after_each: impl FnMut()) -> rusqlite::Result<()> {
        let tx = self.sql.transaction()?;
        let first = batch.blocks.first().map_or(0, |block| block.first);
        {
            let mut words = tx.prepare_cached("INSERT INTO words (rowid, said) VALUES (?1, ?2)")?;
            let mut blocks =
                tx.prepare_cached("INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for block in batch.blocks {
                words.execute(params![block.first.cast_signed(), block.words])?;
                blocks.execute(params![
                    block.first.cast_signed(),
                    first.cast_signed(),
                    block.last.cast_signed(),
                    block.since,
                    block.until,
                    block.places
                ])?;
                after_each();
            }
            let mut minutes = tx.prepare_cached(
                "INSERT INTO minutes VALUES (?1, ?2, ?3)
                 ON CONFLICT (minute) DO UPDATE SET first = min(first, ?2), last = max(last, ?3)",
            )?;
            for (minute, (first, last)) in batch.minutes {
                minutes.execute(params![minute, first.cast_signed(), last.cast_signed()])?;
            }
            tx.prepare_cached(
                "UPDATE state SET next = ?1, segment = ?2, offset = ?3, last_segment = ?4, last_offset = ?5, last_mark = ?6",
            )?
            .execute(params![
                batch.next.next.cast_signed(),
                batch.next.segment.cast_signed(),
                batch.next.offset.cast_signed(),
                batch.last.segment.cast_signed(),
                batch.last.offset.cast_signed(),
                batch.last.mark
            ])?;
        }
        tx.commit()
    }
}

/// Whether it is an index of ours and of this version.
pub(super) fn check_version(sql: &Connection, path: &Path) -> Result<(), IndexError> {
    let pragma = |name: &str| sql.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(IndexError::sql(path))?;
    let version = pragma("user_version").map_err(IndexError::sql(path))?;
    let why = match (application, version) {
        (APPLICATION, VERSION) => return Ok(()),
        (APPLICATION, other) => format!("it is of version {other}, not {VERSION}"),
        _ => "it is no index of a journal".to_owned(),
    };
    Err(IndexError::Broken {
        path: path.into(),
        why,
    })
}

/// Where the index ends.
pub(super) fn read_end(sql: &Connection, path: &Path) -> Result<End, IndexError> {
    let read = sql
        .query_row(
            "SELECT next, segment, offset, last_segment, last_offset, last_mark FROM state",
            [],
            |row| {
                let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
                let (next, segment) = (number(0)?, number(3)?);
                Ok(End {
                    position: Position {
                        next,
                        segment: number(1)?,
                        offset: number(2)?,
                    },
                    last: (segment > 0).then_some(pointer::Pointer {
                        seq: next.saturating_sub(1),
                        segment,
                        offset: number(4)?,
                        mark: row.get(5)?,
                    }),
                })
            },
        )
        .optional();
    match read {
        Ok(Some(end)) => Ok(end),
        Ok(None) => Err(unusable(path, "it says not how far it goes")),
        // A file without the tables is none of ours, however it came to have our marks.
        Err(rusqlite::Error::SqliteFailure(_, Some(message))) if message.contains("no such") => {
            Err(unusable(path, &message))
        }
        Err(error) => Err(IndexError::sql(path)(error)),
    }
}

fn unusable(path: &Path, why: &str) -> IndexError {
    IndexError::Broken {
        path: path.into(),
        why: why.to_owned(),
    }
}
