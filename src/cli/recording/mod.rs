//! `locum recording`: what is recorded of sessions, and how long it stays.

mod erase;
mod hold;
mod list;
mod verify;

use super::grant::{book, by};
use super::{Context, Exit, Failure};
use crate::app::recording_settings;
use crate::audit::recording::{Library, RecordingError};
use crate::config::Config;
use crate::model::{Happened, Timestamp};
use crate::store::StoreError;

/// See what is recorded of sessions, keep it, prove it, erase it.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Recording {
    List(list::List),
    Hold(hold::Hold),
    Release(hold::Release),
    Erase(erase::Erase),
    Verify(verify::Verify),
}

impl Recording {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::List(it) => it.run(context),
            Self::Hold(it) => it.run(context),
            Self::Release(it) => it.run(context),
            Self::Erase(it) => it.run(context),
            Self::Verify(it) => it.run(context),
        }
    }
}

fn library(config: &Config) -> Result<Library, Failure> {
    let settings = recording_settings(config)
        .map_err(|why| Failure::cannot(why.to_string(), "mend [recording]"))?;
    Library::open(&settings).map_err(unusable)
}

/// The recording's errors say what to do themselves.
#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn unusable(why: RecordingError) -> Failure {
    match why {
        RecordingError::Absent { .. }
        | RecordingError::Erased { .. }
        | RecordingError::Held { .. } => Failure::no(why.to_string(), ""),
        _ => Failure::cannot(why.to_string(), ""),
    }
}

/// Puts it on record: a serving Locum takes it to the journal at once, else the next one that serves.
fn note(config: &Config, happened: Happened) -> Result<(), Failure> {
    let noted = book(config)?.write("noting what happened", |tx| {
        tx.note(happened, Timestamp::now())?;
        Ok::<(), StoreError>(())
    });
    noted.map_err(|why| {
        let message = "it could not be put on record, so it was not done";
        Failure::cannot(message, "").because(why)
    })
}

/// Why, in some words.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why".into());
    }
    Ok(text.to_owned())
}
