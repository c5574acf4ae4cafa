//! Finds records: an index beside the journal, fed by a thread of its own, rebuilt whenever it is missing or wrong.
//!
//! The index only points. What a search gives back is always read from the journal's own lines, each checked against its
//! hash and against what was indexed; so a lost or broken index loses nothing, and a forged one shows.
//!
//! ```text
//! journal ─ feed ─ file (SQLite, FTS5) ─ search ─ journal's lines ─ checked ─ Found
//!            └ keeper: the thread of a serving process
//! ```

mod counters;
mod csv;
mod each;
mod error;
mod facts;
mod feed;
mod file;
mod keeper;
mod pointer;
mod query;
mod search;
#[cfg(test)]
mod tests;

pub use counters::IndexCounters;
pub use csv::{head, row};
pub(crate) use each::each_field;
pub use error::IndexError;
pub use facts::Field;
pub use feed::{Feed, Progress};
pub use file::discard;
pub use keeper::Keeper;
pub use query::{Order, Query, Reached, Unfit};
pub use search::{Failed, Fault, Found, Searcher};

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
        }
    }
}
