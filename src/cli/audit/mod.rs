//! `locum audit`: look at the journal and prove that it is whole.

mod key;
pub(super) mod on_record;
mod progress;
mod prove;
mod reindex;
mod search;
mod tail;
mod trust;
mod verify;
mod verify_package;

use super::{Context, Exit, Failure};
use crate::audit::index::{IndexError, Settings};
use std::path::PathBuf;

/// Look at the journal and prove that it is whole.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    Verify(verify::Verify),
    VerifyProof(prove::VerifyProof),
    Checkpoint(prove::Checkpoint),
    #[command(subcommand)]
    Prove(prove::Prove),
    #[command(subcommand)]
    Key(key::Key),
    VerifyPackage(verify_package::VerifyPackage),
    Tail(tail::Tail),
    Search(Box<search::Search>),
    Reindex(reindex::Reindex),
}

impl Audit {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Verify(it) => it.run(context),
            Self::VerifyProof(it) => it.run(context),
            Self::Checkpoint(it) => it.run(context),
            Self::Prove(it) => it.run(context),
            Self::Key(it) => it.run(context),
            Self::VerifyPackage(it) => it.run(context),
            Self::Tail(it) => it.run(context),
            Self::Search(it) => it.run(context),
            Self::Reindex(it) => it.run(context),
        }
    }
}

/// The directory given, else the configuration's; with one given, no configuration is needed.
fn journal(dir: Option<PathBuf>, context: &Context) -> Result<PathBuf, Failure> {
    match dir {
        Some(dir) => Ok(dir),
        None => Ok(context.load_without_files()?.journal_dir()),
    }
}

/// The index of the journal in the directory given, else of the configuration's.
fn index(
    dir: Option<PathBuf>,
    path: Option<PathBuf>,
    context: &Context,
) -> Result<Settings, Failure> {
    let mut settings = match dir {
        Some(dir) => Settings::of(&dir),
        None => crate::app::index_settings(&context.load_without_files()?),
    };
    if let Some(path) = path {
        settings.path = path;
    }
    if settings.journal.is_dir() {
        return Ok(settings);
    }
    let message = format!("there is no journal in {}", settings.journal.display());
    Err(Failure::cannot(
        message,
        "name its directory, as in --dir DIR",
    ))
}

fn no_index(error: IndexError) -> Failure {
    let remedy = error.remedy();
    Failure::cannot("the records cannot be searched", remedy).because(error)
}
