//! Finding records for people: who may find what, how many at once and for how long, and that they did is on record.

mod export;
#[cfg(test)]
pub(super) mod testing;

pub use export::Format;

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
use parking_lot::Mutex;
use rusqlite::InterruptHandle;
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
            .with("query", query.told())
            .with("records", found.entries.len());
        note(control, happened).await?;
        Ok(self.page(found))
    }

    /// One record, if the caller's seats reach it.
    pub async fn one(
        &self,
        control: &Control,
        caller: &Caller,
        sequence: u64,
    ) -> Result<Entry, Refusal> {
        let query = Query {
            order: Order::Oldest,
            after: sequence.checked_sub(1),
            limit: 1,
            reached: reached(caller)?,
            ..Query::default()
        };
        let _permit = self.permit()?;
        let found = self.search(query).await?;
        let happened = Happened::by("records.searched", caller)
            .with("query", format!("sequence={sequence}"))
            .with("records", found.entries.len());
        note(control, happened).await?;
        let changed = found.faults.iter().find(|it| it.sequence == sequence);
        if let Some(fault) = changed {
            let detail = format!("Record {sequence} is not what was indexed: {}.", fault.why);
            return Err(Refusal::conflict("records.changed", detail));
        }
        let mut entries = found.entries.into_iter();
        let entry = entries.find(|it| it.sequence == sequence);
        entry.ok_or_else(Refusal::not_found)
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
        let done = tokio::time::timeout(self.settings.timeout, &mut work).await;
        let done = done.unwrap_or_else(|_| {
            if let Some(stopper) = stopper.lock().take() {
                stopper.interrupt();
            }
            Ok(Err(Failed::Index(IndexError::Stopped)))
        });
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
