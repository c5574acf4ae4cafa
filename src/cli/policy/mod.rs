//! `locum policy`: check, test and explain route policy without serving.

mod check;
mod explain;
mod test;

use super::{Context, Exit, Failure};
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

/// The policy's paths, and the names of the configured apps where the configuration says them.
struct Resolved {
    paths: Vec<PathBuf>,
    apps: Option<Vec<String>>,
}

/// The paths given, else the configuration's. With paths given, no configuration is needed.
fn resolve(paths: Vec<PathBuf>, context: &Context) -> Result<Resolved, Failure> {
    if !paths.is_empty() {
        return Ok(Resolved { paths, apps: None });
    }
    let config = context.load_without_files()?;
    let name =
        |app: &crate::config::App| app.policy.as_ref().unwrap_or(&app.name).as_str().to_owned();
    Ok(Resolved {
        apps: Some(config.apps.iter().map(name).collect()),
        paths: config.policy.paths,
    })
}
