//! `locum recording erase`.

use crate::audit::recording::Erased;
use crate::cli::{Context, Exit, Failure};
use crate::model::{SessionId, Timestamp};
use serde_json::json;

const AFTER_HELP: &str = "\
Destroys the key of the session's recording, then the recording. Nothing brings
it back, and no copy of it can be read any more. The journal stays whole, and
says who erased it and why. A recording under a legal hold is not erased.

Example:
  locum recording erase s01k9… --reason \"request of the customer, case 812\"";

/// Erase a session's recording for good.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Erase {
    /// The session.
    #[arg(value_name = "SESSION")]
    session: SessionId,
    /// Why: it stays on record.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    reason: String,
}

impl Erase {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let library = super::library(&config)?;
        let summary = library.summary(self.session).map_err(super::unusable)?;
        if let Some(hold) = summary.holds.first() {
            let message = format!("it is held: {} on {}: {}", hold.id, hold.on, hold.reason);
            return Err(Failure::no(message, "release the hold first"));
        }
        if let Some(erased) = summary.erased() {
            let message = format!("it was erased already, by {}: {}", erased.by, erased.why);
            return Err(Failure::no(message, ""));
        }
        let by = super::by();
        let happened = summary.about.happened("recording.erased", &by);
        super::note(&config, happened.with("why", &self.reason))?;
        let erased = Erased {
            at: Timestamp::now(),
            by,
            why: self.reason,
        };
        let about = library
            .erase(self.session, erased)
            .map_err(super::unusable)?;
        if context.out.is_json() {
            context.out.json(&json!({ "erased": about }))?;
        } else {
            context.out.line(format!(
                "the recording of session {} is erased",
                self.session
            ))?;
        }
        Ok(Exit::Ok)
    }
}
