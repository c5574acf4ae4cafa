//! `locum recording`: what is recorded of sessions, and how long it stays. Over the API; on the files of this host where
//! no portal is named, or with `--local`.

mod erase;
mod hold;
mod list;
mod remote;
mod verify;

use super::grant::{book, by};
use super::remote::Remote;
use super::{Context, Exit, Failure};
use crate::app::recording_settings;
use crate::audit::recording::{HoldOn, Library, RecordingError, Undone};
use crate::config::Config;
use crate::model::SessionId;
use crate::store::StoreError;

const AFTER_HELP: &str = "\
Over the API, security places holds, and erasing takes two people: one asks,
another agrees. With --local, or where you signed in to no portal, the files of
this host are used, as the configuration names them: whoever may write those is
bound by file permissions alone. Both are on record in the journal.";

/// See what is recorded of sessions, keep it, prove it, erase it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Recording {
    #[command(subcommand)]
    what: What,
    /// Ask no portal: work on the files of this host's configuration.
    #[arg(long, global = true)]
    local: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::List),
    Hold(hold::Hold),
    Release(hold::Release),
    Erase(erase::Erase),
    Approve(erase::Approve),
    Deny(erase::Deny),
    Verify(verify::Verify),
}

impl Recording {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let is_remote = !self.local && self.remote.is_known();
        let client = || self.remote.client();
        match self.what {
            What::Verify(it) => it.run(context),
            What::Approve(it) => it.remote(&client()?, context),
            What::Deny(it) => it.remote(&client()?, context),
            What::List(it) if is_remote => it.remote(&client()?, context),
            What::Hold(it) if is_remote => it.remote(&client()?, context),
            What::Release(it) if is_remote => it.remote(&client()?, context),
            What::Erase(it) if is_remote => it.remote(&client()?, context),
            What::List(it) => it.run(context),
            What::Hold(it) => it.run(context),
            What::Release(it) => it.run(context),
            What::Erase(it) => it.run(context),
        }
    }
}

fn library(config: &Config) -> Result<Library, Failure> {
    let settings = recording_settings(config)
        .map_err(|why| Failure::cannot(why.to_string(), "mend [recording]"))?;
    Library::open(&settings).map_err(unusable)
}

/// The recording's errors say what to do themselves.
#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn unusable(why: RecordingError) -> Failure {
    match why {
        RecordingError::Absent { .. }
        | RecordingError::Erased { .. }
        | RecordingError::Held { .. } => Failure::no(why.to_string(), ""),
        _ => Failure::cannot(why.to_string(), ""),
    }
}

/// A serving Locum takes what is put on record to the journal at once, else the next one that serves.
fn undone(why: Undone<StoreError>) -> Failure {
    match why {
        Undone::Recording(why) => unusable(why),
        Undone::Unrecorded(why) => {
            let message = "it could not be put on record, so it was not done";
            Failure::cannot(message, "").because(why)
        }
    }
}

/// What a hold is on, out of three options.
fn on(
    session: Option<SessionId>,
    tenant: Option<String>,
    subject: Option<String>,
) -> Result<HoldOn, Failure> {
    let on = session.map(HoldOn::Session);
    let on = on.or_else(|| tenant.map(HoldOn::Tenant));
    let on = on.or_else(|| subject.map(HoldOn::Subject));
    on.ok_or_else(|| Failure::usage("nothing to hold", "name a session, tenant or subject"))
}

/// Why, in some words.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why".into());
    }
    Ok(text.to_owned())
}
