//! `locum audit tail`.

use crate::audit::tail::{Entry, Filter, From, Tail as TailOf};
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
        let dir = super::journal(self.dir, context)?;
        let filter = Filter {
            operator: self.operator,
            session: self.session,
            ..Filter::default()
        };
        let from = From::Last(u64::try_from(self.lines).unwrap_or(u64::MAX));
        for entry in TailOf::new(&dir, from, self.follow, filter) {
            let entry = entry.map_err(|why| {
                Failure::cannot(
                    format!("cannot read the journal in {}", dir.display()),
                    "name the journal's directory",
                )
                .because(why)
            })?;
            let is_of_grant = self
                .grant
                .as_deref()
                .is_none_or(|grant| entry.json["locum"]["grant"] == grant);
            if !is_of_grant || (self.denied && !is_refusal(&entry)) {
                continue;
            }
            let line = if context.out.is_json() {
                entry.raw.clone()
            } else {
                entry.pretty()
            };
            context.out.line(line)?;
        }
        Ok(Exit::Ok)
    }
}

/// Answered by Locum and not by the app.
fn is_refusal(entry: &Entry) -> bool {
    entry.event() == "exchange.refused"
}
