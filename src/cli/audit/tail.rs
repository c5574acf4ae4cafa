//! `locum audit tail`.

use crate::cli::{Context, Exit, Failure};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
One line a record: time, decision, operator as subject, method and target,
status, rule. With --json the records as they are in the journal.

Examples:
  locum audit tail -f
  locum audit tail -n 0 -f --denied
  locum audit tail -n 1000 --session s01k9… --json | jq .status";

/// Show the last records, and follow new ones.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Tail {
    /// The journal's directory [default: the configuration's].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Go on with new records as they come, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Begin with the last so many.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Only records of this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only records of this grant.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// Only records of this operator.
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Only refusals.
    #[arg(long)]
    denied: bool,
}

impl Tail {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Self {
            dir,
            follow: _,
            lines: _,
            session: _,
            grant: _,
            operator: _,
            denied: _,
        } = self;
        let _dir = super::journal(dir, context)?;
        // WIRE: audit::tail(&dir, …)
        Err(crate::cli::unwired("audit tail"))
    }
}
