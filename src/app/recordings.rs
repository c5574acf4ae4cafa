//! Recordings for the portal and the API, from the configuration.

use super::{Parts, RunError};
use crate::audit::export::Exporter;
use crate::audit::recording::Library;
use crate::config::Config;
use crate::control::recordings::Recordings;
use crate::control::replay;
use std::sync::Arc;

pub(super) fn recordings(config: &Config, parts: &Parts) -> Result<Recordings, RunError> {
    let settings = super::recording_settings(config)?;
    let library =
        Library::open(&settings).map_err(|why| RunError::build("recording", why.to_string()))?;
    let exporter = Exporter {
        journal: config.journal_dir(),
        library,
        keys: if config.audit.log.enabled {
            super::log_keys(config, false)?
        } else {
            Vec::new()
        },
        max_records: config.export.max_records,
        max_body: usize::try_from(config.export.max_body.bytes()).unwrap_or(usize::MAX),
    };
    let (at_once, metrics) = (config.export.max_at_once, Arc::clone(&parts.plane.metrics));
    Ok(Recordings::new(exporter, replay(config), at_once, metrics))
}

/// Where replays live; read again on reload.
pub(super) fn replay(config: &Config) -> replay::Settings {
    let (from, host) = (&config.replay, config.replay_host());
    replay::Settings {
        enabled: from.enabled && host.is_some(),
        portal: config.portal_origin(),
        host: host.unwrap_or_default(),
        view_time: from.view_time,
        max_views: from.max_views,
        max_frames: from.max_frames,
        max_text: usize::try_from(from.max_text.bytes()).unwrap_or(usize::MAX),
        tenant_auditors: from.tenant_auditors,
    }
}
