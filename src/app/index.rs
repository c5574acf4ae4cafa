//! The index of the journal, as the configuration wants it.

use super::RunError;
use crate::audit::Journal;
use crate::audit::index::{self, Keeper};
use crate::config::Config;
use crate::control::evidence::{self, Evidence};
use crate::telemetry::Metrics;
use std::sync::Arc;

/// The index's settings, whether or not it is kept.
pub(crate) fn index_settings(config: &Config) -> index::Settings {
    let from = &config.audit.index;
    index::Settings {
        cache_bytes: from.cache.len(),
        batch_records: from.batch_records,
        ..index::Settings::of(&config.journal_dir())
    }
}

/// Starts the thread that keeps the index, where there is to be one.
pub(super) fn start(config: &Config, journal: &Journal) -> Result<Option<Keeper>, RunError> {
    if !config.audit.index.enabled {
        return Ok(None);
    }
    let keeper = Keeper::start(journal.clone(), index_settings(config));
    keeper
        .map(Some)
        .map_err(RunError::io("cannot start the index's thread"))
}

/// What the portal and the API find records with.
pub(super) fn evidence(config: &Config, journal: &Journal, metrics: &Arc<Metrics>) -> Evidence {
    let from = &config.audit.index;
    let settings = evidence::Settings {
        index: from.enabled.then(|| index_settings(config)),
        max_searches: from.max_searches,
        timeout: from.search_timeout,
        max_export: from.max_export,
    };
    let counters = Arc::clone(journal.counters());
    Evidence::new(settings, Some(counters), Arc::clone(metrics))
}
