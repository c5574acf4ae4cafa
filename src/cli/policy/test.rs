//! `locum policy test`.

use super::{Context, Exit, Failure, Source};
use crate::policy;

const AFTER_HELP: &str = "\
Cases stand beside the policy in *.cases.toml: a request and a grant, and the
effect and the rule that must come of them. The test fails when a case comes
out otherwise, when there are no cases, and when a file has an error.

Examples:
  locum policy test
  locum policy test config/policy --json | jq '.cases[] | select(.failure)'";

/// Run the cases beside the policy files.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    source: Source,
}

impl Test {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let resolved = super::resolve(self.source.paths, context)?;
        let report = match policy::test(&resolved.paths, &resolved.options) {
            Ok(report) => report,
            Err(problems) => return super::print_problems(&problems, context),
        };
        if context.out.is_json() {
            context.out.json(&report)?;
        } else {
            context.out.line(report.to_string())?;
        }
        Ok(if report.passed() { Exit::Ok } else { Exit::No })
    }
}
