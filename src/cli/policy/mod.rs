//! `locum policy`: check, test and explain route and access policy without serving.

mod access;
mod check;
mod diff;
mod explain;
mod recorded;
mod test;

use super::{Context, Exit, Failure};
use crate::policy::access::{self as rules, is_own};
use crate::policy::{LoadOptions, Problems};
use serde_json::json;
use std::path::PathBuf;

/// Check, test and explain policy, without serving.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Policy {
    Check(check::Check),
    Test(test::Test),
    Explain(Box<explain::Explain>),
    Diff(diff::Diff),
    Access(Box<access::Access>),
}

impl Policy {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Check(it) => it.run(context),
            Self::Test(it) => it.run(context),
            Self::Explain(it) => it.run(context),
            Self::Diff(it) => it.run(context),
            Self::Access(it) => it.run(context),
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
    access_paths: Vec<PathBuf>,
    access: rules::Options,
}

/// The paths given, else the configuration's. With paths given, no configuration is needed.
fn resolve(paths: Vec<PathBuf>, context: &Context) -> Result<Resolved, Failure> {
    if !paths.is_empty() {
        // A single file of conditions is the route policy's; folders have both.
        let is_access = |path: &&PathBuf| path.is_dir() || is_own(path);
        return Ok(Resolved {
            access_paths: paths.iter().filter(is_access).cloned().collect(),
            access: rules::Options::default(),
            options: LoadOptions::default(),
            paths,
        });
    }
    let config = context.load_without_files()?;
    Ok(Resolved {
        options: crate::app::policy_options(&config),
        access: crate::app::access_options(&config),
        access_paths: config.access.policy,
        paths: config.policy.paths,
    })
}

/// The app that was named, or the only one; none where no configuration says.
fn only_app(asked: Option<String>, known: Option<&[String]>) -> Result<String, Failure> {
    match (asked, known) {
        (Some(app), _) => Ok(app),
        (None, Some([only])) => Ok(only.clone()),
        (None, Some(several)) => {
            let remedy = format!("add --app with one of {}", several.join(", "));
            Err(Failure::usage("several apps are configured", remedy))
        }
        (None, None) => Ok(String::new()),
    }
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
