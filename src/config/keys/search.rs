//! `[audit.index]`: the index that finds records, and the bounds of what a search may cost.

use crate::config::schema::section;
use crate::config::units::{GIB, MIB, MINUTE, Size};
use std::time::Duration;

section! {
    /// The index beside the journal by which records are found. It is made from the journal alone, and anew
    /// whenever it is missing or damaged; no request waits for it.
    pub struct Index {
        /// Keep it. Off: the portal's Evidence page and the API find no records.
        enabled: bool = true;
        /// Pages of the index held in memory, by its writer and by each search.
        cache: Size = "16MiB" in [MIB, GIB];
        /// Records written to it in one go.
        batch_records: usize = 2000 in [1, 100_000], "records";
        /// Searches that run at once. Beyond: 429.
        max_searches: usize = 4 in [1, 256], "searches";
        /// The time for one search. Beyond: it is stopped, and 503 says to narrow it.
        search_timeout: Duration = "5s" in [100, 10 * MINUTE];
        /// Records in one export. Beyond: the export ends there, and says so in its last line.
        max_export: usize = 100_000 in [1, 100_000_000], "records";
    }
}
