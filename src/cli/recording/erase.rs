//! `locum recording erase`, `approve` and `deny`.

use super::remote;
use crate::audit::recording::Erased;
use crate::cli::remote::{Client, show};
use crate::cli::{Context, Exit, Failure};
use crate::model::{SessionId, Timestamp};
use serde_json::json;

const AFTER_HELP: &str = "\
Destroys the key of the session's recording, then the recording. Nothing brings
it back, and no copy of it can be read any more. The journal stays whole, and
says who erased it and why. A recording under a legal hold is not erased.

Over the API this asks; another person of the security role agrees with
`locum recording approve`, within a week. With --local it is done at once.

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

/// Agree that a recording is erased, as somebody else asked. It is done at once.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Approve {
    /// The session.
    #[arg(value_name = "SESSION")]
    session: SessionId,
    /// Why: it stays on record.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    reason: String,
}

/// Refuse that a recording is erased, or take back that you asked.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Deny {
    /// The session.
    #[arg(value_name = "SESSION")]
    session: SessionId,
    /// Why: whoever asked reads it.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    reason: String,
}

impl Erase {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let id = self.session.to_string();
        let body = json!({ "reason": self.reason });
        let asked = client.post(&["recordings", &id, "erase"], &body)?;
        show(&mut context.out, &asked, |out, it| {
            remote::state(out, it)?;
            out.line(format!(
                "somebody else must agree: locum recording approve {id} --reason …"
            ))
        })
    }

    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let library = super::library(&config)?;
        let erased = Erased {
            at: Timestamp::now(),
            by: super::by(),
            why: self.reason,
            agreed: None,
        };
        // Said before the store is opened: there is nothing to put on record.
        library.summary(self.session).map_err(super::unusable)?;
        let book = super::book(&config)?;
        let about = library.erase(self.session, erased, &book);
        let about = about.map_err(super::undone)?;
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

impl Approve {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        answer(client, context, self.session, "approve", &self.reason)
    }
}

impl Deny {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        answer(client, context, self.session, "deny", &self.reason)
    }
}

fn answer(
    client: &Client,
    context: &mut Context,
    session: SessionId,
    verdict: &str,
    reason: &str,
) -> Result<Exit, Failure> {
    let body = json!({ "verdict": verdict, "reason": reason });
    let path = ["recordings", &session.to_string(), "erase", "votes"];
    let answered = client.post(&path, &body)?;
    show(&mut context.out, &answered, remote::state)
}
