//! `locum audit verify`.

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
        if context.out.is_json() {
            context
                .out
                .json(&json!({ "ok": report.is_intact(), "report": report }))?;
        } else {
            context.out.line(report.to_string())?;
        }
        Ok(if report.is_intact() {
            Exit::Ok
        } else {
            Exit::No
        })
    }
}
