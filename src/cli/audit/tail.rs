//! `locum audit tail`.

use crate::audit::tail::{self, Filter, From};
use crate::cli::{Context, Exit, Failure};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
One line a record: time, event, operator as subject, method and target, decision,
rule, exchange. With --json the records as they are in the journal.

Examples:
  locum audit tail -f
  locum audit tail -n 0 -f --event exchange.refused
  locum audit tail -n 1000 --session s01k9… --json | jq .status_code";

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
    /// Begin with the last so many, counted before any condition.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    lines: u64,
    /// Begin with the first.
    #[arg(long, conflicts_with = "lines")]
    all: bool,
    /// Only records of this operator.
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Only records about this subject.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only records in this tenant.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Only records of this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only records of this exchange.
    #[arg(long, value_name = "ID")]
    exchange: Option<String>,
    /// Only this event, as exchange.refused, or this kind, as exchange.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
}

impl Tail {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let dir = super::journal(self.dir, context)?;
        let from = if self.all {
            From::Start
        } else {
            From::Last(self.lines)
        };
        let filter = Filter {
            operator: self.operator,
            subject: self.subject,
            tenant: self.tenant,
            session: self.session,
            exchange: self.exchange,
            event: self.event,
        };
        for entry in tail::Tail::new(&dir, from, self.follow, filter) {
            let entry = entry.map_err(|error| {
                let message = format!("cannot read the journal in {}", dir.display());
                Failure::cannot(
                    message,
                    "look whether it is there and yours to read, then run `locum audit verify`",
                )
                .because(error)
            })?;
            if context.out.is_json() {
                context.out.line(entry.raw.trim_end())?;
            } else {
                context.out.line(entry.pretty())?;
            }
        }
        Ok(Exit::Ok)
    }
}
