//! `locum audit verify`.

use crate::audit::recording::{Erasure, erasures};
use crate::audit::{self, verify::Options};
use crate::cli::{Context, Exit, Failure};
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Reads every record and checks the hash chain from the first to the last. A
record that was changed, removed, moved or cut is named, and the exit code is
1. A last line that was torn when the process was killed is not a fault: it is
marked when Locum starts again.

It only reads, so it can run beside a serving Locum, and on a copy elsewhere.

Examples:
  locum audit verify
  locum audit verify /evidence/2026-03/journal --json";

/// Prove that no record was changed, removed, moved or cut.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Verify {
    /// The journal's directory [default: the configuration's].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let dir = super::journal(self.dir, context)?;
        let report = audit::verify(&dir, &Options::default())
            .map_err(|error| Failure::cannot(error.to_string(), ""))?;
        // What was erased is gone from the recordings and stays in the journal: a reader is told of both.
        let erased = erasures(&dir).unwrap_or_default();
        if context.out.is_json() {
            let ok = report.is_intact();
            context
                .out
                .json(&json!({ "ok": ok, "report": report, "erased": erased }))?;
        } else {
            context.out.line(report.to_string())?;
            told(context, &erased)?;
        }
        Ok(if report.is_intact() {
            Exit::Ok
        } else {
            Exit::No
        })
    }
}

/// How many recordings were erased, by whom and why.
fn told(context: &mut Context, erased: &[Erasure]) -> Result<(), Failure> {
    if erased.is_empty() {
        return Ok(());
    }
    let mut causes: Vec<(String, usize)> = Vec::new();
    for one in erased {
        let cause = format!("{}: {}", one.by, one.why);
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += 1,
            None => causes.push((cause, 1)),
        }
    }
    let s = if erased.len() == 1 { " was" } else { "s were" };
    context.out.line(format!(
        "{} recording{s} erased; their records are whole",
        erased.len()
    ))?;
    for (cause, count) in causes {
        context.out.line(format!("  {count} by {cause}"))?;
    }
    Ok(())
}
