//! Everything that a query finds, as a file: read page by page while it is sent, so that its length costs no memory.

use super::{Evidence, note, reached};
use crate::audit::index::{self, Fault, Found, Query};
use crate::control::desk::Control;
use crate::control::refusal::Refusal;
use crate::model::{Caller, Happened};
use crate::telemetry::metrics::Limit;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Records read in one go.
const AT_ONCE: usize = 500;

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The journal's own lines, then one that says whether these are all.
    Lines,
    /// A table, for spreadsheets.
    Csv,
}

impl Format {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "jsonl",
            Self::Csv => "csv",
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

impl Evidence {
    /// Everything that the query finds, as a stream of a file. That it was asked for is on record before it begins.
    pub async fn export(
        self: Arc<Self>,
        control: &Control,
        caller: &Caller,
        mut query: Query,
        format: Format,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, Refusal> {
        query.reached = reached(caller)?;
        query.limit = AT_ONCE;
        let permit = self.permit()?;
        // A query that cannot be answered is refused while there is still a status to refuse it with.
        let first = self.search(query.clone()).await?;
        let happened = Happened::by("records.exported", caller)
            .with("query", query.told())
            .with("format", format.name());
        note(control, happened).await?;
        let state = Export {
            evidence: self,
            query,
            format,
            first: Some(first),
            records: 0,
            faults: Vec::new(),
            has_ended: false,
            _permit: permit,
        };
        Ok(stream::try_unfold(state, Export::step))
    }
}

/// An export on its way.
struct Export {
    evidence: Arc<Evidence>,
    query: Query,
    format: Format,
    /// Found before the answer began.
    first: Option<Found>,
    records: usize,
    faults: Vec<Fault>,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Export {
    async fn step(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.has_ended {
            return Ok(None);
        }
        let mut out = String::new();
        let found = match self.first.take() {
            Some(found) => {
                if self.format == Format::Csv {
                    out.push_str(&index::head());
                }
                found
            }
            // The status is gone out: breaking off is the one way left to say that it is not whole.
            None => self
                .evidence
                .search(self.query.clone())
                .await
                .map_err(|why| io::Error::other(why.detail))?,
        };
        let most = self.evidence.settings.max_export - self.records;
        for entry in found.entries.iter().take(most) {
            match self.format {
                Format::Lines => {
                    out.push_str(&entry.raw);
                    out.push('\n');
                }
                Format::Csv => out.push_str(&index::row(entry)),
            }
        }
        self.records += found.entries.len().min(most);
        self.faults.extend(found.faults);
        let is_cut = found.entries.len() > most
            || (found.next.is_some() && self.records >= self.evidence.settings.max_export);
        if is_cut {
            self.evidence.metrics.hit(Limit::ExportRecords);
        }
        if is_cut || found.next.is_none() {
            self.end(&mut out, is_cut);
        }
        self.query.after = found.next;
        Ok(Some((out.into(), self)))
    }

    /// Says whether these are all: a file that lacks this was broken off.
    fn end(&mut self, out: &mut String, is_cut: bool) {
        self.has_ended = true;
        match self.format {
            Format::Lines => {
                let last = serde_json::json!({ "export": {
                    "records": self.records, "complete": !is_cut, "not_as_indexed": self.faults,
                }});
                let _ = writeln!(out, "{last}");
            }
            Format::Csv => {
                let cut = if is_cut { "; there are more" } else { "; all" };
                let _ = write!(out, "# {} records{cut}", self.records);
                if !self.faults.is_empty() {
                    let _ = write!(out, "; {} are not as they were indexed", self.faults.len());
                }
                out.push_str("\r\n");
            }
        }
    }
}
