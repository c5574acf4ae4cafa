//! `locum recording hold` and `release`.

use crate::audit::recording;
use crate::cli::{Context, Exit, Failure};
use crate::model::{SessionId, Timestamp};
use serde_json::json;

/// Forbid erasing recordings: nobody and no retention does until the hold is released.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true))]
pub(in crate::cli) struct Hold {
    /// One session's.
    #[arg(long, value_name = "ID", group = "on")]
    pub(super) session: Option<SessionId>,
    /// Everything of a tenant, what is to come too.
    #[arg(long, value_name = "ID", group = "on")]
    pub(super) tenant: Option<String>,
    /// Everything of a subject, what is to come too.
    #[arg(long, value_name = "ID", group = "on")]
    pub(super) subject: Option<String>,
    /// Why: the case.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    pub(super) reason: String,
}

/// Take a hold away.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Release {
    /// The hold; `locum recording list` shows them.
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = super::reason)]
    pub(super) reason: String,
}

impl Hold {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let on = super::on(self.session, self.tenant, self.subject)?;
        let hold = recording::Hold::new(on, &self.reason, &super::by(), Timestamp::now());
        let (library, book) = (super::library(&config)?, super::book(&config)?);
        let hold = library.hold(hold, &book).map_err(super::undone)?;
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
        let (library, book) = (super::library(&config)?, super::book(&config)?);
        let released = library.release(&self.id, &super::by(), &self.reason, &book);
        let Some(hold) = released.map_err(super::undone)? else {
            let remedy = "`locum recording list` shows the holds";
            return Err(Failure::no(format!("there is no hold {}", self.id), remedy));
        };
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
