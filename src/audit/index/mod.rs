//! Finds records: an index beside the journal, fed by a thread of its own, rebuilt whenever it is missing or wrong.
//!
//! The index only points. What a search gives back is always read from the journal's own lines, each checked against its
//! hash and against what was indexed; so a lost or broken index loses nothing, and a forged one shows.
//!
//! A row of the index is a block of up to 64 records that were read together and are alike. It says which words occur in
//! it, and which of its records have which values: a record is found by its values in the index alone, and by words where
//! it is read. So the index may say too much of a record, and never too little.
//!
//! ```text
//! journal ─ feed ─ block ─ file (SQLite, FTS5) ─ search ─ page: journal's lines, checked ─ Found
//!            │      ├ shape: lines that differ in values alone are compared, not read
//!            │      ├ texts: else they are read, without a tree
//!            │      └ places: where a block's records stand, and their values
//!            └ keeper: the thread of a serving process
//! ```

mod block;
mod counters;
mod csv;
mod each;
mod error;
#[cfg(test)]
mod expected;
mod facts;
mod feed;
mod file;
mod hash;
mod keeper;
mod page;
mod places;
mod pointer;
mod query;
mod said;
mod search;
mod shape;
#[cfg(test)]
mod tests;
mod texts;
mod wanted;

pub use counters::IndexCounters;
pub use csv::{head, row};
pub(crate) use each::each_field;
pub use error::IndexError;
pub use facts::Field;
pub use feed::{Feed, Progress};
pub use file::discard;
pub use keeper::Keeper;
pub use page::{Fault, Found};
pub use query::{Order, Query, Reached, Unfit};
pub use search::{Failed, Searcher};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What tunes the index.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The journal's directory.
    pub journal: PathBuf,
    /// The index's file.
    pub path: PathBuf,
    /// Pages of the file that are held in memory. Bytes; default 16 MiB.
    pub cache_bytes: usize,
    /// Most records that are written in one go. Default 2000.
    pub batch_records: usize,
    /// Most bytes of records that are written in one go. Default 4 MiB.
    pub batch_bytes: usize,
    /// How often an idle index looks for new records. Default 200 ms.
    pub poll: Duration,
    /// The pause after a failure. Default 10 s.
    pub retry: Duration,
    /// Most records that are read for one page. The index knows which records have the values that are looked for, but of
    /// words only that they stand somewhere in a block: those that seldom meet in one record may take many to find. Beyond:
    /// the page ends, and the next one goes on. Default 10,000.
    pub page_reads: usize,
}

impl Settings {
    /// The index of the journal in `journal`, at its usual place.
    pub fn of(journal: &Path) -> Self {
        Self {
            journal: journal.into(),
            path: journal.join("index.db"),
            cache_bytes: 16 << 20,
            batch_records: 2000,
            batch_bytes: 4 << 20,
            poll: Duration::from_millis(200),
            retry: Duration::from_secs(10),
            page_reads: 10_000,
        }
    }
}
