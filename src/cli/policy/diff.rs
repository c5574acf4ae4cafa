//! `locum policy diff`.

use super::recorded::{self, Kind};
use super::{Context, Exit, Failure};
use crate::audit::tail::{Filter, From, Tail};
use crate::model::Timestamp;
use crate::policy::diff::{PolicyDiff, diff};
use crate::policy::replay::{Replay, Replayed};
use crate::policy::{LoadOptions, Policy};
use serde_json::json;
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
Without --replay: which rows were added, removed or changed, and what else is
otherwise. With it: which requests of a journal would now be decided otherwise,
grouped by the rule that decides, with some of their exchanges.

A record holds the head of a request, not its body or header fields, and no
values of redacted parameters. Where both policies have the same rows for a
request it is decided alike, whatever its body; where they differ and a row
needs what was not recorded, the request is counted as one that cannot be told.

The exit code is 0 if the policies are alike, and 1 if anything differs.

Examples:
  locum policy diff config/policy candidate/policy
  locum policy diff config/policy candidate/policy --replay /var/lib/locum/journal
  locum policy diff old new --replay journal --since 2026-03-01T00:00:00Z --json";

/// Compare two policies, and what they make of recorded requests.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Diff {
    /// The policy as it is: a file or a directory.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy as it is to be.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Decide the requests of the journal in this directory again.
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// Only requests not before this time, as in 2026-03-01T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::time::moment, requires = "replay")]
    since: Option<Timestamp>,
}

impl Diff {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (old, new) = (load(&self.old)?, load(&self.new)?);
        let rows = diff(&old, &new);
        let replayed = self
            .replay
            .as_deref()
            .map(|dir| replay(dir, self.since, &old, &new))
            .transpose()?;
        print(&rows, replayed.as_ref(), context)?;
        let differs = !rows.is_empty() || replayed.is_some_and(|it| it.differing() > 0);
        Ok(if differs { Exit::No } else { Exit::Ok })
    }
}

fn load(path: &Path) -> Result<Policy, Failure> {
    Policy::load(&[path.to_owned()], &LoadOptions::default()).map_err(|problems| {
        let message = format!("the policy in {} has errors:\n{problems}", path.display());
        Failure::cannot(
            message,
            "mend what is listed, then run `locum policy check`",
        )
    })
}

fn replay(
    dir: &Path,
    since: Option<Timestamp>,
    old: &Policy,
    new: &Policy,
) -> Result<Replayed, Failure> {
    let mut replay = Replay::new(old, new);
    for entry in Tail::new(dir, From::Start, false, Filter::default()) {
        let entry = entry.map_err(|error| {
            let message = format!("cannot read the journal in {}", dir.display());
            Failure::cannot(
                message,
                "look whether it is there and yours to read, then run `locum audit verify`",
            )
            .because(error)
        })?;
        let millis = entry.value(&["time"]).and_then(serde_json::Value::as_i64);
        if since.is_some_and(|since| millis.unwrap_or(0) < since.millis()) {
            continue;
        }
        match recorded::read(&entry) {
            Kind::Decided(recorded) => replay.add(&recorded),
            Kind::NotByPolicy => replay.skip(),
            Kind::Other => {}
        }
    }
    Ok(replay.done())
}

fn print(
    rows: &PolicyDiff,
    replayed: Option<&Replayed>,
    context: &mut Context,
) -> Result<(), Failure> {
    if context.out.is_json() {
        return context
            .out
            .json(&json!({ "rows": rows, "replay": replayed }));
    }
    context.out.line(rows.to_string())?;
    if let Some(replayed) = replayed {
        context.out.line("")?;
        context.out.line(replayed.to_string())?;
    }
    Ok(())
}
