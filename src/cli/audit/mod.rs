//! `locum audit`: look at the journal and prove that it is whole.

mod key;
mod prove;
mod tail;
mod trust;
mod verify;
mod verify_package;

use super::{Context, Exit, Failure};
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
