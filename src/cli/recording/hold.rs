//! `locum recording hold` and `release`.

use crate::audit::recording::{self, HoldOn};
use crate::cli::{Context, Exit, Failure};
use crate::model::{Happened, SessionId, Timestamp};
use serde_json::json;

/// Forbid erasing recordings: nobody and no retention does until the hold is released.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true))]
pub(in crate::cli) struct Hold {
    /// One session's.
    #[arg(long, value_name = "ID", group = "on")]
    session: Option<SessionId>,
    /// Everything of a tenant, what is to come too.
    #[arg(long, value_name = "ID", group = "on")]
    tenant: Option<String>,
    /// Everything of a subject, what is to come too.
    #[arg(long, value_name = "ID", group = "on")]
    subject: Option<String>,
    /// Why: the case.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    reason: String,
}

/// Take a hold away.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Release {
    /// The hold; `locum recording list` shows them.
    #[arg(value_name = "ID")]
    id: String,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    reason: String,
}

impl Hold {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let on = match (self.session, self.tenant, self.subject) {
            (Some(session), ..) => HoldOn::Session(session),
            (_, Some(tenant), _) => HoldOn::Tenant(tenant),
            (.., Some(subject)) => HoldOn::Subject(subject),
            _ => {
                return Err(Failure::usage(
                    "nothing to hold",
                    "name a session, tenant or subject",
                ));
            }
        };
        let by = super::by();
        let hold = recording::Hold::new(on, &self.reason, &by, Timestamp::now());
        let library = super::library(&config)?;
        super::note(
            &config,
            happened("recording.held", &hold, &by, &self.reason),
        )?;
        library.hold(hold.clone()).map_err(super::unusable)?;
        if context.out.is_json() {
            context.out.json(&hold)?;
        } else {
            context
                .out
                .line(format!("hold {} on {} is placed", hold.id, hold.on))?;
        }
        Ok(Exit::Ok)
    }
}

impl Release {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let library = super::library(&config)?;
        let holds = library.holds().map_err(super::unusable)?;
        let Some(hold) = holds.into_iter().find(|hold| hold.id == self.id) else {
            let remedy = "`locum recording list` shows the holds";
            return Err(Failure::no(format!("there is no hold {}", self.id), remedy));
        };
        let by = super::by();
        super::note(
            &config,
            happened("recording.released", &hold, &by, &self.reason),
        )?;
        library.release(&self.id).map_err(super::unusable)?;
        if context.out.is_json() {
            context.out.json(&json!({ "released": hold }))?;
        } else {
            context
                .out
                .line(format!("hold {} on {} is released", hold.id, hold.on))?;
        }
        Ok(Exit::Ok)
    }
}

fn happened(code: &str, hold: &recording::Hold, by: &str, reason: &str) -> Happened {
    let mut happened = Happened::new(code, by);
    match &hold.on {
        HoldOn::Session(session) => happened.session = Some(session.to_string()),
        HoldOn::Tenant(tenant) => happened.tenant = Some(tenant.clone()),
        HoldOn::Subject(subject) => happened.subject = Some(subject.clone()),
    }
    happened.with("hold", &hold.id).with("why", reason)
}
