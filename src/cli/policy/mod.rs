//! `locum policy`: check, test and explain route policy without serving.

mod check;
mod explain;
mod test;

use super::{Context, Exit, Failure};
use crate::policy::{LoadOptions, Problems};
use serde_json::json;
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

/// The policy's paths, and how they are loaded.
struct Resolved {
    paths: Vec<PathBuf>,
    options: LoadOptions,
}

/// The paths given, else the configuration's. With paths given, no configuration is needed.
fn resolve(paths: Vec<PathBuf>, context: &Context) -> Result<Resolved, Failure> {
    if !paths.is_empty() {
        let options = LoadOptions::default();
        return Ok(Resolved { paths, options });
    }
    let config = context.load_without_files()?;
    Ok(Resolved {
        options: crate::app::policy_options(&config),
        paths: config.policy.paths,
    })
}

/// The files have errors: all of them, and the answer is no.
fn print_problems(problems: &Problems, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.is_json() {
        context
            .out
            .json(&json!({ "ok": false, "problems": problems }))?;
    } else {
        let count = problems.len();
        let s = if count == 1 { "" } else { "s" };
        super::output::tell(&format!("{problems}\n{count} problem{s}"));
    }
    Ok(Exit::No)
}
