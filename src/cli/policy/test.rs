//! `locum policy test`.

use super::{Context, Exit, Failure, Source};

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
        let _resolved = super::resolve(self.source.paths, context)?;
        // WIRE: policy::test(&resolved.paths, &options) -> TestReport; Exit::No unless passed()
        Err(crate::cli::unwired("policy test"))
    }
}
