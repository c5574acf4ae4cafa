//! All that a journal tells of one session: for its timeline.

use super::segment;
use super::sink::{Position, Reader};
use super::tail::Entry;
use crate::model::Timestamp;
use memchr::memmem;
use serde_json::Value;
use std::io;
use std::path::Path;

/// Records that may still come after a session's end: closings of what was cut.
const AFTER_THE_END: u64 = 4096;

/// How much may be read and given back.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub records: usize,
    /// Of the journal.
    pub bytes: u64,
}

/// What was found, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// The bounds were met: there may be more.
    pub cut: bool,
}

/// Reads the session's records from the moment `since` on. Blocks for as long as a disk takes.
///
/// # Errors
/// Where a file cannot be read, or a record is changed or missing.
pub fn of_session(
    dir: &Path,
    session: &str,
    since: Timestamp,
    bounds: Bounds,
) -> io::Result<Found> {
    let mut reader = Reader::new(dir, Position::at(begin(dir, since)?));
    let wanted = memmem::Finder::new(session.as_bytes());
    let mut found = Found::default();
    let (mut read, mut last) = (0, u64::MAX);
    while let Some(record) = reader.next()? {
        read += record.line.len() as u64;
        if record.seq > last {
            break;
        }
        if wanted.find(&record.line).is_some() {
            let entry = Entry::parse(record)?;
            if entry.text(&["locum", "session"]) == Some(session) {
                if entry.event() == "session.ended" {
                    last = entry.sequence.saturating_add(AFTER_THE_END);
                }
                found.entries.push(entry);
            }
        }
        if found.entries.len() >= bounds.records || read >= bounds.bytes {
            found.cut = true;
            break;
        }
    }
    Ok(found)
}

/// The first sequence number of the newest segment that begins before `since`.
fn begin(dir: &Path, since: Timestamp) -> io::Result<u64> {
    let segments = segment::list(dir)?;
    for first in segments.iter().rev() {
        let mut reader = Reader::new(dir, Position::at(*first));
        let Some(record) = reader.next()? else {
            continue;
        };
        let entry = Entry::parse(record)?;
        let at = entry.json.get("time").and_then(Value::as_i64);
        if at.is_some_and(|at| at < since.millis()) {
            return Ok(*first);
        }
    }
    Ok(segments.first().copied().unwrap_or(1))
}
