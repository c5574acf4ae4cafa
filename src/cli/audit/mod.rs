//! `locum audit`: look at the journal and prove that it is whole.

mod tail;
mod verify;

use super::{Context, Exit, Failure};
use std::path::PathBuf;

/// Look at the journal and prove that it is whole.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    Verify(verify::Verify),
    Tail(tail::Tail),
}

impl Audit {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Verify(it) => it.run(context),
            Self::Tail(it) => it.run(context),
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
