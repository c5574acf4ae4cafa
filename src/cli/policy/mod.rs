//! `locum policy`: check, test and explain route policy without serving.

mod check;
mod explain;
mod test;

use super::{Context, Exit, Failure};
use crate::policy::{LoadOptions, Problems};
use std::path::PathBuf;

/// Check, test and explain route policy, without serving.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Policy {
    Check(check::Check),
    Test(test::Test),
    Explain(Box<explain::Explain>),
}

impl Policy {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Check(it) => it.run(context),
            Self::Test(it) => it.run(context),
            Self::Explain(it) => it.run(context),
        }
    }
}

/// Which policy is meant.
#[derive(Debug, clap::Args)]
struct Source {
    /// Policy files or directories [default: policy.paths of the configuration].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// The policy's paths, and how to load them.
struct Resolved {
    paths: Vec<PathBuf>,
    options: LoadOptions,
}

/// The paths given, else the configuration's. With paths given, no configuration is needed.
fn resolve(paths: Vec<PathBuf>, context: &Context) -> Result<Resolved, Failure> {
    if !paths.is_empty() {
        return Ok(Resolved {
            paths,
            options: LoadOptions::default(),
        });
    }
    let config = context.load_without_files()?;
    Ok(Resolved {
        options: crate::app::policy_options(&config),
        paths: config.policy.paths,
    })
}

/// Every error of the files; the answer is no.
fn refused(context: &mut Context, problems: &Problems) -> Result<Exit, Failure> {
    if context.out.is_json() {
        context.out.json(problems)?;
        return Ok(Exit::No);
    }
    Err(Failure::no(problems.to_string(), "mend what is listed"))
}
