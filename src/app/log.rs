//! The journal's log as the configuration has it: its name, its keys, its witnesses.

use super::RunError;
use crate::audit::tree::{self, LogKey, LogSettings, VerifierKey, WitnessSettings};
use crate::config::{self, Config};

/// The settings of the log; a missing default key is made.
pub(super) fn settings(config: &Config) -> Result<Option<LogSettings>, RunError> {
    let from = &config.audit.log;
    if !from.enabled {
        return Ok(None);
    }
    let mut settings = LogSettings::new(keys(config, true)?);
    settings.interval = from.interval;
    settings.count = from.count as u64;
    settings.queue = from.queue;
    settings.tenants = from.tenants;
    settings.required = from.required_witnesses;
    settings.witness_tenants = from.witness_tenants;
    settings.max_lag = from.max_lag;
    settings.on_lag = match from.on_lag {
        config::OnLag::Alarm => tree::OnLag::Alarm,
        config::OnLag::Refuse => tree::OnLag::Refuse,
    };
    let witnesses = from.witnesses.iter().map(witness);
    settings.witnesses = witnesses.collect::<Result<_, _>>()?;
    Ok(Some(settings))
}

fn witness(from: &config::Witness) -> Result<WitnessSettings, RunError> {
    let wrong = |why: &dyn std::fmt::Display| RunError::build("audit.log.witnesses", why);
    let url = url::Url::parse(&from.url).map_err(|why| wrong(&why))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&"url must begin with https:// or http://"));
    }
    Ok(WitnessSettings {
        url: from.url.clone(),
        key: VerifierKey::parse(&from.key).map_err(|why| wrong(&why))?,
        ca: from.ca.clone(),
        timeout: from.timeout,
    })
}

/// The log's keys. `make`: the default one is made where it is missing.
pub(crate) fn keys(config: &Config, make: bool) -> Result<Vec<LogKey>, RunError> {
    let wrong = |why: tree::LogError| RunError::build("audit.log.keys", why);
    let (paths, is_default) = config.log_keys();
    let mut keys = Vec::new();
    for path in paths {
        if make && is_default && !path.exists() {
            let made = LogKey::generate(&origin(config)).and_then(|key| key.save(&path));
            // Another that starts at the same time may have made it: it is the key then.
            if let (Err(why), false) = (made, path.exists()) {
                return Err(wrong(why));
            }
        }
        let key = LogKey::load(&path).map_err(wrong)?;
        if let Some(origin) = config
            .audit
            .log
            .origin
            .as_deref()
            .filter(|it| *it != key.name())
        {
            let why = format!(
                "{} is a key of the log {}, and audit.log.origin says {origin}: make another with `locum audit key new`, or name the log as its key does",
                path.display(),
                key.name()
            );
            return Err(RunError::build("audit.log.keys", why));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// What the log is called: as it was configured, else as it called itself before, else after the portal.
pub(crate) fn origin(config: &Config) -> String {
    let told = config.audit.log.origin.clone();
    told.or_else(|| tree::origin_of(&config.journal_dir()))
        .unwrap_or_else(|| config.log_origin())
}
