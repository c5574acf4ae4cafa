//! `[recording]` as the recorder and the data plane take it.

use super::{Parts, RunError};
use crate::audit::recording::settings::{KeySource, Kms, MasterKey, Name, Redaction};
use crate::audit::recording::{
    About, Erased, Library, RecordingError, Retention, Rule, RuleOn, Settings, Undone,
};
use crate::audit::settings::HeaderSecret;
use crate::audit::{Event, Journal, Refused};
use crate::config::{self, Config};
use crate::model::{Happened, Ledger, OnOverrun, Record, RecordRule, Tier, Timestamp};
use crate::proxy::setup::Recording;
use crate::proxy::worker::Plane;
use std::sync::Arc;

/// What the recorder and readers need: the directory, the keys, what is taken out.
pub(crate) fn settings(config: &Config) -> Result<Settings, RunError> {
    let from = &config.recording;
    let mut made = Settings::new(config.recording_dir());
    if !from.keys.is_empty() {
        made.keys = from.keys.iter().map(key).collect::<Result<_, _>>()?;
    }
    made.queue_bytes = from.queue_bytes.len();
    made.max_open = from.max_open_tapes;
    made.mark_every = from.mark_interval;
    made.room = super::translate::room(&from.min_free);
    let names = |list: &[String]| list.iter().map(|name| Name::from(name.as_str())).collect();
    made.redaction = Redaction {
        headers: names(&from.redact_headers),
        fields: names(&from.redact_fields),
        selectors: from.redact_selectors.clone(),
        max_held: from.redact_max_held.len(),
    };
    Ok(made)
}

fn key(from: &config::RecordingKey) -> Result<MasterKey, RunError> {
    let what = || format!("recording.keys.{}", from.id);
    let source = match (&from.file, &from.env, &from.kms_url) {
        (Some(path), None, None) => KeySource::File(path.clone()),
        (None, Some(name), None) => KeySource::Environment(name.clone()),
        (None, None, Some(url)) => KeySource::Kms(Kms {
            url: url.clone(),
            token: token(from)?,
            ca: from.kms_ca.clone(),
            timeout: from.kms_timeout,
        }),
        _ => return Err(RunError::build(what(), "set one of file, env and kms_url")),
    };
    Ok(MasterKey {
        id: from.id.as_str().to_owned(),
        source,
    })
}

fn token(from: &config::RecordingKey) -> Result<Option<HeaderSecret>, RunError> {
    let what = || format!("recording.keys.{}", from.id);
    let text = match (&from.kms_secret_file, &from.kms_secret_env) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map_err(|why| RunError::build(what(), format!("{}: {why}", path.display())))?,
        (None, Some(name)) => std::env::var(name).map_err(|_| {
            RunError::build(what(), format!("{name} is not set in the environment"))
        })?,
        (None, None) => return Ok(None),
    };
    Ok(Some(HeaderSecret::new(text.trim())))
}

/// What is recorded, by tier.
pub(super) fn rules(config: &Config) -> Recording {
    let from = &config.recording;
    let overrun = |it| match it {
        config::OnOverrun::Gap => OnOverrun::Gap,
        config::OnOverrun::Fail => OnOverrun::Fail,
    };
    let rule = |tier: &config::RecordingTier| RecordRule {
        record: match tier.record {
            config::RecordWhat::None => Record::None,
            config::RecordWhat::Headers => Record::Headers,
            config::RecordWhat::Bodies => Record::Bodies,
        },
        on_overrun: overrun(tier.on_overrun),
    };
    Recording {
        ordinary: rule(&from.ordinary),
        sensitive: rule(&from.sensitive),
        privileged: rule(&from.privileged),
        break_glass: overrun(from.break_glass_on_overrun),
        max_message: from.max_message.len(),
    }
}

fn retention(config: &Config) -> Retention {
    let from = &config.recording;
    let on = |tier| match tier {
        config::RetentionTier::Ordinary => RuleOn::Tier(Tier::Ordinary),
        config::RetentionTier::Sensitive => RuleOn::Tier(Tier::Sensitive),
        config::RetentionTier::Privileged => RuleOn::Tier(Tier::Privileged),
        config::RetentionTier::BreakGlass => RuleOn::BreakGlass,
    };
    let rule = |rule: &config::Retention| Rule {
        tenant: rule.tenant.clone(),
        on: rule.tier.map(on),
        keep: rule.keep,
    };
    Retention {
        rules: from.retention.iter().map(rule).collect(),
        keep: from.keep,
    }
}

/// Erases recordings whose time is over, for ever: on record first, then in fact.
pub(super) async fn sweep(parts: Arc<Parts>) {
    loop {
        let config = parts.config.load_full();
        if let Err(error) = sweep_once(&parts.plane, &config).await {
            tracing::error!(%error, "old recordings could not be looked for");
        }
        tokio::time::sleep(config.recording.sweep_interval).await;
    }
}

async fn sweep_once(plane: &Plane, config: &Config) -> Result<(), RunError> {
    let failed = |why: RecordingError| RunError::build("recording", why);
    let library = Library::open(&settings(config)?).map_err(failed)?;
    let (library, due) = look(library, retention(config)).await.map_err(failed)?;
    for (about, why) in due {
        erase(plane, &library, &about, why).await;
    }
    Ok(())
}

type Due = (Library, Vec<(About, String)>);

/// What is due by now; what broke off before is ended on the way.
async fn look(library: Library, retention: Retention) -> Result<Due, RecordingError> {
    let looked = tokio::task::spawn_blocking(move || {
        library.finish_erasing()?;
        let now = Timestamp::now();
        let due = library.sessions()?.into_iter().filter_map(|summary| {
            let why = retention.is_over(&summary, now)?;
            Some((summary.about, why))
        });
        let due = due.collect();
        Ok((library, due))
    });
    looked.await.unwrap_or_else(|why| {
        let what = format!("the search broke off: {why}");
        Err(RecordingError::Setting { what })
    })
}

async fn erase(plane: &Plane, library: &Library, about: &About, why: String) {
    let erased = Erased {
        at: Timestamp::now(),
        by: "locum".into(),
        why,
        agreed: None,
    };
    let (library, session) = (library.clone(), about.session);
    let ledger = Straight {
        journal: Arc::clone(&plane.journal),
        runtime: tokio::runtime::Handle::current(),
    };
    let done = tokio::task::spawn_blocking(move || library.erase(session, erased, &ledger)).await;
    match done {
        Ok(Err(Undone::Unrecorded(error))) => {
            tracing::error!(%error, "an old recording stays: its erasing could not be recorded");
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "an old recording could not be erased whole; it is tried again");
        }
        _ => {}
    }
}

/// The journal itself, for who may block.
struct Straight {
    journal: Arc<Journal>,
    runtime: tokio::runtime::Handle,
}

impl Ledger for Straight {
    type Error = Refused;

    fn put(&self, happened: Happened) -> Result<(), Refused> {
        let event = Event::Control(&happened);
        self.runtime.block_on(self.journal.event(&event))
    }
}
