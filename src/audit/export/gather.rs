//! All records that tell of one session: its own, its grant's, and those of the request that it came of.

use super::error::ExportError;
use crate::audit::segment;
use crate::audit::sink::{Position, Reader};
use crate::audit::tail::Entry;
use crate::model::Timestamp;
use memchr::memmem;
use serde_json::Value;
use std::path::Path;

/// What names a session in records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub session: String,
    pub grant: Option<String>,
    pub request: Option<String>,
    /// Nothing before this moment is looked at.
    pub since: Option<Timestamp>,
}

/// Reads them, oldest first, to the end of the journal: reviews and views come long after a session's end. At most
/// `most` of them.
///
/// # Errors
/// Where a file cannot be read, a record is changed or missing, or there are too many.
pub fn records(dir: &Path, wanted: &Wanted, most: usize) -> Result<Vec<Entry>, ExportError> {
    let first = begin(dir, wanted.since).map_err(ExportError::Journal)?;
    let mut reader = Reader::new(dir, Position::at(first));
    let names = [
        Some(&wanted.session),
        wanted.grant.as_ref(),
        wanted.request.as_ref(),
    ];
    let names: Vec<&String> = names.into_iter().flatten().collect();
    let finders: Vec<_> = names
        .iter()
        .map(|name| memmem::Finder::new(name.as_bytes()))
        .collect();
    let mut found = Vec::new();
    while let Some(record) = reader.next().map_err(ExportError::Journal)? {
        if !finders.iter().any(|it| it.find(&record.line).is_some()) {
            continue;
        }
        let entry = Entry::parse(record).map_err(ExportError::Journal)?;
        if !is_of(&entry, &names) {
            continue;
        }
        if found.len() >= most {
            return Err(ExportError::TooMuch {
                what: "max_records",
                most: most as u64,
            });
        }
        found.push(entry);
    }
    if found.is_empty() {
        return Err(ExportError::Unknown(wanted.session.clone()));
    }
    Ok(found)
}

/// Whether it is about what is named, and does not only mention it.
pub(super) fn is_of(entry: &Entry, names: &[&String]) -> bool {
    let about = ["session", "grant", "request"];
    let mut about = about.iter().filter_map(|key| entry.text(&["locum", key]));
    about.any(|it| names.iter().any(|name| name.as_str() == it))
}

/// What the session's own records name beside it, where nobody knows its grant and request otherwise.
pub fn names(entries: &[Entry], session: &str) -> Wanted {
    let own = entries
        .iter()
        .filter(|it| it.text(&["locum", "session"]) == Some(session));
    let mut wanted = Wanted {
        session: session.to_owned(),
        ..Wanted::default()
    };
    for entry in own {
        let text = |key: &str| entry.text(&["locum", key]).map(str::to_owned);
        wanted.grant = wanted.grant.or_else(|| text("grant"));
        wanted.request = wanted.request.or_else(|| text("request"));
    }
    wanted
}

/// The first sequence number of the newest segment that begins before `since`.
fn begin(dir: &Path, since: Option<Timestamp>) -> std::io::Result<u64> {
    let segments = segment::list(dir)?;
    let first = segments.first().copied().unwrap_or(1);
    let Some(since) = since else {
        return Ok(first);
    };
    for at in segments.iter().rev() {
        let mut reader = Reader::new(dir, Position::at(*at));
        let Some(record) = reader.next()? else {
            continue;
        };
        let entry = Entry::parse(record)?;
        let time = entry.json.get("time").and_then(Value::as_i64);
        if time.is_some_and(|time| time < since.millis()) {
            return Ok(*at);
        }
    }
    Ok(first)
}
