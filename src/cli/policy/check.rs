//! `locum policy check`.

use super::{Context, Exit, Failure, Source};
use crate::policy::{self, access};
use serde_json::json;

const AFTER_HELP: &str = "\
Every error is listed at once as file:line with its remedy: unknown keys,
patterns that conflict, rows that can never decide because an earlier one
always does, scopes without actions, Cedar that does not compile, rules of
access without a name or a number of approvals.

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
        let routes = policy::check(&resolved.paths, &resolved.options);
        let access = access::check(&resolved.access_paths, &resolved.access);
        match (routes, access) {
            (Ok(report), Ok(access)) if context.out.is_json() => {
                let told = json!({ "ok": true, "report": report, "access": access });
                context.out.json(&told)?;
                Ok(Exit::Ok)
            }
            (Ok(report), Ok(access)) => {
                context.out.line(report.to_string())?;
                context.out.line(access.to_string())?;
                Ok(Exit::Ok)
            }
            (routes, access) => {
                let all = policy::Problems::joined([routes.err(), access.err()]);
                super::print_problems(&all, context)
            }
        }
    }
}
