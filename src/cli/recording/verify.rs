//! `locum recording verify`.

use crate::audit::recording::check;
use crate::cli::{Context, Exit, Failure};
use crate::model::SessionId;
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Opens every frame of the recording, and compares it with the journal: the bytes
of its files up to each mark, and the digests of every exchange that was closed.
What was changed, moved or cut off is named, and the exit code is 1. Nothing of
what is recorded is shown. `locum audit verify` proves the journal itself.";

/// Prove that a recording is what the journal says of it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Verify {
    /// The session.
    #[arg(value_name = "SESSION")]
    session: SessionId,
    /// The journal's directory [default: the configuration's].
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let library = super::library(&config)?;
        let journal = self.journal.unwrap_or_else(|| config.journal_dir());
        let checked = check(&library, self.session, &journal).map_err(super::unusable)?;
        let is_good = checked.faults.is_empty();
        if context.out.is_json() {
            context
                .out
                .json(&json!({ "ok": is_good, "checked": checked }))?;
        } else {
            for fault in &checked.faults {
                context.out.line(format!("FAULT {fault}"))?;
            }
            for note in &checked.notes {
                context.out.line(format!("note: {note}"))?;
            }
            let (exchanges, marks) = (checked.exchanges, checked.marks);
            let verdict = if is_good { "intact" } else { "NOT INTACT" };
            context.out.line(format!(
                "{verdict}: {exchanges} exchanges and {marks} marks of the journal compared"
            ))?;
        }
        Ok(if is_good { Exit::Ok } else { Exit::No })
    }
}
