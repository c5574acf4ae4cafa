//! A journal with its index in a test's own folder.

use super::{Evidence, Settings};
use crate::audit::index::{self, Feed};
use crate::audit::{Event, Journal};
use crate::control::desk::Control;
use crate::model::{Clock, Happened};
use crate::telemetry::Metrics;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The journal that is written and searched.
pub(in crate::control) struct Archive {
    pub(in crate::control) journal: Journal,
    pub(in crate::control) evidence: Arc<Evidence>,
    index: index::Settings,
}

impl Archive {
    pub(in crate::control) fn new(dir: &Path, metrics: Arc<Metrics>) -> Self {
        let settings = crate::audit::Settings {
            dir: dir.join("journal"),
            ..crate::audit::Settings::default()
        };
        let index = index::Settings::of(&settings.dir);
        let journal = Journal::start(settings, Clock::System).expect("a journal");
        let settings = Settings {
            index: Some(index.clone()),
            max_searches: 4,
            timeout: Duration::from_secs(30),
            max_export: 1000,
        };
        let counters = Arc::clone(journal.counters());
        let archive = Self {
            evidence: Arc::new(Evidence::new(settings, Some(counters), metrics)),
            journal,
            index,
        };
        archive.index();
        archive
    }

    /// Another with other bounds, over the same records.
    pub(in crate::control) fn bounded(
        &self,
        change: impl FnOnce(&mut Settings),
        metrics: Arc<Metrics>,
    ) -> Arc<Evidence> {
        let mut settings = self.evidence.settings.clone();
        change(&mut settings);
        Arc::new(Evidence::new(settings, None, metrics))
    }

    pub(in crate::control) fn add(&self, happened: &Happened) {
        self.journal.note(&Event::Control(happened));
        self.index();
    }

    /// Takes what happened to the journal, as a serving process does by itself.
    pub(in crate::control) fn take(&self, control: &Control) {
        let noted = control.book.unrecorded(1_000).expect("the store works");
        for one in &noted {
            self.journal.note(&Event::Control(&one.happened));
        }
        if let Some(last) = noted.last() {
            let marked = control.book.recorded_up_to(last.sequence);
            marked.expect("the store works");
        }
        self.index();
    }

    pub(in crate::control) fn index(&self) {
        let mut feed = Feed::open(self.index.clone()).expect("an index");
        feed.take(u64::MAX, |_| true).expect("it can be written");
    }
}
