//! Records as they come, for people and scripts: `locum audit tail`.

use super::escape::is_unfit;
use super::segment;
use super::sink::{Reader, Record};
use crate::model::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often a followed journal is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Which records to show; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub operator: Option<String>,
    pub subject: Option<String>,
    pub tenant: Option<String>,
    pub session: Option<String>,
    pub exchange: Option<String>,
    /// An event's name (`exchange.refused`), or its beginning up to a dot (`exchange`).
    pub event: Option<String>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        // Steps of the control plane name these by themselves, where no session does.
        let equals = |wanted: &Option<String>, paths: [&[&str]; 2]| {
            wanted.as_deref().is_none_or(|wanted| {
                let mut found = paths.iter().filter_map(|path| entry.text(path));
                found.any(|it| it == wanted)
            })
        };
        let event = self.event.as_deref().is_none_or(|wanted| {
            let rest = entry.event().strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        event
            && equals(
                &self.operator,
                [&["actor", "user", "uid"], &["locum", "operator"]],
            )
            && equals(
                &self.subject,
                [&["locum", "subject", "uid"], &["locum", "subject_id"]],
            )
            && equals(
                &self.tenant,
                [&["locum", "tenant", "uid"], &["locum", "tenant_id"]],
            )
            && equals(&self.session, [&["locum", "session"], &[]])
            && equals(&self.exchange, [&["metadata", "correlation_uid"], &[]])
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Start,
    /// With the record of this sequence number.
    Sequence(u64),
    /// With the last so many records (before the filter).
    Last(u64),
}

/// One record, parsed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub sequence: u64,
    /// The line as it stands in the journal.
    pub raw: String,
    pub json: Value,
}

/// Reads records in order; ends at the end of the journal unless it follows.
#[derive(Debug)]
pub struct Tail {
    dir: PathBuf,
    reader: Option<Reader>,
    from: From,
    follow: bool,
    filter: Filter,
    has_failed: bool,
}

impl Tail {
    /// Nothing is read before the first [`Iterator::next`], which blocks while it follows.
    pub fn new(dir: &Path, from: From, follow: bool, filter: Filter) -> Self {
        Self {
            dir: dir.into(),
            reader: None,
            from,
            follow,
            filter,
            has_failed: false,
        }
    }

    fn begin(&self) -> io::Result<Reader> {
        let first = match self.from {
            From::Start => segment::list(&self.dir)?.first().copied().unwrap_or(1),
            From::Sequence(sequence) => sequence.max(1),
            From::Last(n) => return last(&self.dir, n),
        };
        Ok(Reader::new(&self.dir, super::sink::Position::at(first)))
    }

    fn advance(&mut self) -> io::Result<Option<Entry>> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.begin()?,
        };
        let result = loop {
            match reader.next()? {
                Some(record) => {
                    let entry = Entry::parse(record)?;
                    if self.filter.takes(&entry) {
                        break Some(entry);
                    }
                }
                None if self.follow => thread::sleep(POLL),
                None => break None,
            }
        };
        self.reader = Some(reader);
        Ok(result)
    }
}

/// Before the last `n` records; the newest segment is read once to find the end.
fn last(dir: &Path, n: u64) -> io::Result<Reader> {
    let start = |first| Reader::new(dir, super::sink::Position::at(first));
    let segments = segment::list(dir)?;
    let Some(newest) = segments.last() else {
        return Ok(start(1));
    };
    let mut reader = start(*newest);
    while reader.next()?.is_some() {}
    let end = reader.position().next;
    let oldest = segments.first().copied().unwrap_or(1);
    Ok(start(end.saturating_sub(n).max(oldest)))
}

impl Iterator for Tail {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let next = self.advance();
        self.has_failed = next.is_err();
        next.transpose()
    }
}

impl Entry {
    pub(super) fn parse(record: Record) -> io::Result<Self> {
        let raw = String::from_utf8(record.line).map_err(io::Error::other)?;
        Ok(Self {
            sequence: record.seq,
            json: serde_json::from_str(&raw)?,
            raw,
        })
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        let millis = self.value(&["time"]).and_then(Value::as_i64);
        Timestamp::from_millis(millis.unwrap_or(0))
    }

    /// The event's name, such as `exchange.opened`.
    pub fn event(&self) -> &str {
        self.text(&["metadata", "event_code"]).unwrap_or("?")
    }

    pub(crate) fn value(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.json, |at, key| at.get(key))
    }

    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.value(path)?.as_str()
    }

    /// One line for a person: time, event, who as whom, what, and how it was decided or ended. Safe for a terminal.
    pub fn pretty(&self) -> String {
        let mut line = String::with_capacity(160);
        let time = self.value(&["time"]).and_then(Value::as_i64).unwrap_or(0);
        let _ = write!(
            line,
            "{} {:<17}",
            Timestamp::from_millis(time),
            printable(self.event())
        );
        let actor = self.text(&["actor", "user", "uid"]);
        if let Some(operator) = actor.or_else(|| self.text(&["locum", "operator"])) {
            let subject = self.text(&["locum", "subject", "uid"]).unwrap_or("-");
            let _ = write!(line, " {}→{}", printable(operator), printable(subject));
        }
        let method = self.text(&["http_request", "http_method"]);
        if let Some(method) = method.or_else(|| self.text(&["locum", "method"])) {
            let _ = write!(line, " {}", printable(method));
        }
        if let Some(target) = self.target() {
            let _ = write!(line, " {}", printable(&target));
        }
        for path in [
            &["locum", "decision"] as &[&str],
            &["locum", "rule"],
            &["locum", "outcome"],
            &["status_code"],
            &["status_detail"],
            &["locum", "cause"],
            &["locum", "by"],
            &["locum", "kind"],
            &["locum", "detail"],
            &["locum", "problem"],
        ] {
            if let Some(text) = self.text(path).filter(|t| !t.is_empty()) {
                let _ = write!(line, " {}", printable(text));
            }
        }
        if let Some(micros) = self.value(&["locum", "total_us"]).and_then(Value::as_u64) {
            let _ = write!(line, " {}.{:01}ms", micros / 1000, micros % 1000 / 100);
        }
        if let Some(exchange) = self.text(&["metadata", "correlation_uid"]) {
            let _ = write!(line, " {}", printable(exchange));
        }
        line
    }

    fn target(&self) -> Option<String> {
        let url = ["http_request", "url", "path"];
        let Some(path) = self.text(&url) else {
            let other = self.text(&["locum", "raw_target"]);
            return other
                .or_else(|| self.text(&["locum", "path"]))
                .map(String::from);
        };
        let query = self.text(&["http_request", "url", "query_string"]);
        Some(query.map_or_else(|| path.to_owned(), |q| format!("{path}?{q}")))
    }
}

/// Without what could move a cursor or reorder text, and on one line.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_unfit(c) { '\u{FFFD}' } else { c })
        .collect()
}
