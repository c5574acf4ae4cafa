//! `locum policy check`.

use super::{Context, Exit, Failure, Source};
use crate::policy;
use serde_json::json;

const AFTER_HELP: &str = "\
Every error is listed at once as file:line with its remedy: unknown keys,
patterns that conflict, rows that can never decide because an earlier one
always does, scopes without actions, Cedar that does not compile.

Examples:
  locum policy check
  locum policy check candidate/policy --json";

/// Check policy files and list every error.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    source: Source,
}

impl Check {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let resolved = super::resolve(self.source.paths, context)?;
        match policy::check(&resolved.paths, &resolved.options) {
            Ok(report) if context.out.is_json() => {
                context.out.json(&json!({ "ok": true, "report": report }))?;
                Ok(Exit::Ok)
            }
            Ok(report) => {
                context.out.line(report.to_string())?;
                Ok(Exit::Ok)
            }
            Err(problems) => super::print_problems(&problems, context),
        }
    }
}
