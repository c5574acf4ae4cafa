//! `locum audit reindex`.

use super::progress::Bar;
use crate::audit::index::{Feed, IndexError, Settings, discard};
use crate::cli::{Context, Exit, Failure};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

const AFTER_HELP: &str = "\
The index only points into the journal: making it anew loses nothing, and
searches go on meanwhile with what is there yet. A serving Locum keeps the index
of its own journal and makes it anew by itself where it is missing or damaged;
then this command takes the old one away and leaves the rest to it.

Examples:
  locum audit reindex
  locum audit reindex /evidence/2026-03/journal";

/// Make the index of the records anew.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Reindex {
    /// The journal's directory [default: the configuration's].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Reindex {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let settings = super::index(self.dir, None, context)?;
        let began = Instant::now();
        let mut feed = match Feed::anew(settings.clone()) {
            Ok(feed) => feed,
            Err(IndexError::Kept { .. }) => return leave(&settings, context),
            Err(error) => return Err(super::no_index(error)),
        };
        let bar = Bar::new(feed.ahead().map_err(super::no_index)?, context);
        let taken = feed.take(u64::MAX, |progress| bar.told(progress));
        bar.end();
        let taken = taken.map_err(super::no_index)?;
        let size = std::fs::metadata(&settings.path).map_or(0, |it| it.len());
        let took = began.elapsed();
        if context.out.is_json() {
            context.out.json(&json!({
                "records": taken.records, "bytes": taken.bytes, "index_bytes": size, "millis": took.as_millis(),
            }))?;
        } else {
            context.out.line(format!(
                "{} records ({} MiB) indexed in {:.1} s; {} has {} MiB",
                taken.records,
                taken.bytes >> 20,
                took.as_secs_f64(),
                settings.path.display(),
                size >> 20,
            ))?;
        }
        Ok(Exit::Ok)
    }
}

/// The process that keeps it sees that it is gone.
fn leave(settings: &Settings, context: &mut Context) -> Result<Exit, Failure> {
    discard(&settings.path).map_err(|error| {
        let message = format!("cannot take {} away", settings.path.display());
        Failure::cannot(message, "run it as the user that serves").because(error)
    })?;
    if context.out.is_json() {
        context.out.json(&json!({ "by": "the serving process" }))?;
    } else {
        context.out.line(
            "the serving Locum makes it anew now; its metric locum_index_lag tells how far",
        )?;
    }
    Ok(Exit::Ok)
}
