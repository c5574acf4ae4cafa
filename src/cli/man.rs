//! `locum man`.

use super::{Context, Exit, Failure};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  locum man | man -l -
  locum man --dir /usr/local/share/man/man1";

/// Print the manual page, or write the pages of all commands.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Man {
    /// Write one page for each command into this directory, which must be there.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(super::command()).render(&mut page)?;
            context.out.raw(&page)?;
            return Ok(Exit::Ok);
        };
        clap_mangen::generate_to(super::command(), &dir).map_err(|error| {
            let message = format!("cannot write manual pages to {}", dir.display());
            Failure::cannot(message, "name a directory that exists and is yours").because(error)
        })?;
        if !context.out.is_json() {
            context
                .out
                .line(format!("wrote the manual pages to {}", dir.display()))?;
        }
        Ok(Exit::Ok)
    }
}
