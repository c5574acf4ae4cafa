//! Finding records for people: who may find what, how many at once and for how long, and that they did is on record.

use super::desk::Control;
use super::refusal::{Kind, Problem, Refusal};
use crate::audit::Counters;
use crate::audit::index::{
    self, Failed, Fault, Found, IndexError, Order, Query, Reached, Searcher, discard,
};
use crate::audit::tail::Entry;
use crate::model::{Caller, Happened, Reach, Role};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use parking_lot::Mutex;
use rusqlite::InterruptHandle;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Seats that let their holder look for records.
pub const SEARCHERS: [Role; 4] = [
    Role::Security,
    Role::Auditor,
    Role::Admin,
    Role::TenantAuditor,
];

/// Records read in one go for an export.
const AT_ONCE: usize = 500;

/// What tunes it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `None`: the index is off.
    pub index: Option<index::Settings>,
    pub max_searches: usize,
    pub timeout: Duration,
    pub max_export: usize,
}

/// Finds records.
pub struct Evidence {
    settings: Settings,
    permits: Arc<Semaphore>,
    /// The journal's, where this process writes one.
    journal: Option<Arc<Counters>>,
    metrics: Arc<Metrics>,
}

/// What was found.
#[derive(Debug)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub faults: Vec<Fault>,
    pub next: Option<u64>,
    /// The last record that can be found.
    pub indexed: u64,
    /// The last record that there is.
    pub kept: u64,
}

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
    pub fn new(settings: Settings, journal: Option<Arc<Counters>>, metrics: Arc<Metrics>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(settings.max_searches)),
            settings,
            journal,
            metrics,
        }
    }

    /// Finds one page of what the caller's seats reach, and puts on record that they looked.
    pub async fn find(
        &self,
        control: &Control,
        caller: &Caller,
        mut query: Query,
    ) -> Result<Page, Refusal> {
        query.reached = reached(caller)?;
        let _permit = self.permit()?;
        let found = self.search(query.clone()).await?;
        let happened = Happened::by("records.searched", caller)
            .with("query", told(&query))
            .with("records", found.entries.len());
        note(control, happened).await?;
        Ok(self.page(found))
    }

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
            .with("query", told(&query))
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

    fn page(&self, found: Found) -> Page {
        let kept = self.journal.as_ref();
        let kept = kept.map_or(0, |it| it.sequence.load(Ordering::Relaxed));
        Page {
            entries: found.entries,
            faults: found.faults,
            next: found.next,
            indexed: found.indexed,
            kept: kept.max(found.indexed),
        }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            self.metrics.hit(Limit::Searches);
            let detail = "Others are searching now. Try again in a moment.";
            Refusal::new(Kind::TooMany, "records.busy", detail)
        })
    }

    /// Searches away from the runtime's threads, for as long as a search may take.
    async fn search(&self, query: Query) -> Result<Found, Refusal> {
        let Some(settings) = self.settings.index.clone() else {
            let detail = "Records are not indexed here: audit.index.enabled is off. `locum audit tail` reads them all.";
            return Err(Refusal::new(Kind::Unavailable, "records.off", detail));
        };
        let path = settings.path.clone();
        let stopper: Arc<Mutex<Option<InterruptHandle>>> = Arc::default();
        let for_search = Arc::clone(&stopper);
        let mut work = tokio::task::spawn_blocking(move || {
            let searcher = Searcher::open(settings)?;
            *for_search.lock() = Some(searcher.stopper());
            searcher.search(&query)
        });
        let done = match tokio::time::timeout(self.settings.timeout, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                if let Some(stopper) = stopper.lock().take() {
                    stopper.interrupt();
                }
                Ok(Err(Failed::Index(IndexError::Stopped)))
            }
        };
        match done {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Failed::Query(unfit))) => Err(Refusal::invalid(vec![Problem {
                field: unfit.field.to_owned(),
                message: unfit.why,
            }])),
            Ok(Err(Failed::Index(error))) => {
                if let IndexError::Broken { .. } = &error {
                    // Whoever keeps it sees that it is gone, and makes it anew.
                    let _ = discard(&path);
                }
                Err(self.unavailable(&error))
            }
            Err(_) => Err(self.unavailable(&IndexError::Stopped)),
        }
    }

    fn unavailable(&self, error: &IndexError) -> Refusal {
        tracing::warn!(%error, "records could not be searched");
        let (reason, detail) = match error {
            IndexError::Absent { .. } | IndexError::Broken { .. } => (
                "records.no-index",
                "The index of the records is being made anew. Try again in a moment.",
            ),
            IndexError::Stopped => {
                self.metrics.hit(Limit::SearchTimeout);
                (
                    "records.too-slow",
                    "The search took too long. Narrow it: a time, a customer, a longer word.",
                )
            }
            _ => (
                "records.out-of-reach",
                "The records cannot be searched now. Try again in a moment.",
            ),
        };
        Refusal::new(Kind::Unavailable, reason, detail)
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

async fn note(control: &Control, happened: Happened) -> Result<(), Refusal> {
    let now = control.now();
    let work = move |tx: &crate::store::control::Tx<'_>| Ok(tx.note(happened, now)?);
    control.run("recording a search", work).await
}

/// What this person may find; `None`: everything.
fn reached(caller: &Caller) -> Result<Option<Vec<Reached>>, Refusal> {
    let seats = caller.seats.iter();
    let seats: Vec<Reached> = seats
        .filter(|seat| SEARCHERS.contains(&seat.role))
        .map(|seat| Reached {
            tenants: seat.tenants.clone(),
            apps: seat.apps.clone(),
        })
        .collect();
    if seats.is_empty() {
        let names: Vec<&str> = SEARCHERS.iter().map(|role| role.as_str()).collect();
        let detail = format!("Records are for these roles: {}.", names.join(", "));
        return Err(Refusal::forbidden("records.role", detail));
    }
    let is_free = |seat: &Reached| seat.tenants == Reach::All && seat.apps == Reach::All;
    Ok((!seats.iter().any(is_free)).then_some(seats))
}

/// The query in one line, as it is put on record.
fn told(query: &Query) -> String {
    let mut out = Vec::new();
    for (field, value) in &query.fields {
        out.push(format!("{}={value}", field.name()));
    }
    for (name, at) in [("from", query.since), ("to", query.until)] {
        out.extend(at.map(|at| format!("{name}={at}")));
    }
    if !query.text.trim().is_empty() {
        out.push(format!("text={}", query.text.trim()));
    }
    if query.order == Order::Oldest {
        out.push("oldest first".to_owned());
    }
    out.extend(query.after.map(|after| format!("after={after}")));
    if out.is_empty() {
        return "everything".to_owned();
    }
    out.join(", ")
}
