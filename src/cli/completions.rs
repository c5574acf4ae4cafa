//! `locum completions`.

use super::{Context, Exit, Failure};

const AFTER_HELP: &str = "\
Examples:
  locum completions bash > /etc/bash_completion.d/locum
  locum completions zsh  > \"${fpath[1]}/_locum\"
  locum completions fish > ~/.config/fish/completions/locum.fish";

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "locum", &mut script);
        context.out.raw(&script)?;
        Ok(Exit::Ok)
    }
}
