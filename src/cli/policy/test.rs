//! `locum policy test`.

use super::{Context, Exit, Failure, Source};
use crate::model::{Scope, Tier};
use crate::policy::{self, Policy, TestReport, access};
use serde_json::json;

const AFTER_HELP: &str = "\
Cases stand beside the policy in *.cases.toml: a request and a grant, and the
effect and the rule that must come of them. The test fails when a case comes
out otherwise, when there are no cases, and when a file has an error. Cases of
the access policy are [[access_case]] in the same files.

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
        let routes = Policy::load(&resolved.paths, &resolved.options).ok();
        let tier = |app: &str, scopes: &[Scope]| {
            let known = routes.as_ref();
            known.map_or(Tier::Privileged, |policy| policy.tier_of(app, scopes))
        };
        let report = policy::test(&resolved.paths, &resolved.options);
        let access = access::test(
            &resolved.paths,
            &resolved.access_paths,
            &resolved.access,
            &tier,
        );
        let (report, access) = match (report, access) {
            (Ok(report), Ok(access)) => (report, access),
            (report, access) => {
                let all = policy::Problems::joined([report.err(), access.err()]);
                return super::print_problems(&all, context);
            }
        };
        // Without rules and cases of access there is nothing to say of it.
        let access = Some(access).filter(|it| !it.cases.is_empty() || !it.digest.is_empty());
        let passed = report.passed() && access.as_ref().is_none_or(TestReport::passed);
        if context.out.is_json() {
            let mut told = json!(report);
            if let Some(members) = told.as_object_mut() {
                members.insert("access".to_owned(), json!(access));
            }
            context.out.json(&told)?;
        } else {
            context.out.line(report.to_string())?;
            if let Some(access) = access {
                context.out.line(access.to_string())?;
            }
        }
        Ok(if passed { Exit::Ok } else { Exit::No })
    }
}
