//! `[recording]` as the recorder and the data plane take it.

use super::RunError;
use crate::audit::recording::Settings;
use crate::audit::recording::settings::{KeySource, Kms, MasterKey, Name, Redaction};
use crate::audit::settings::HeaderSecret;
use crate::config::{self, Config};
use crate::model::{OnOverrun, Record, RecordRule};
use crate::proxy::setup::Recording;

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
