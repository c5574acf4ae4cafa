//! `locum grant show`.

use super::view::View;
use crate::cli::{Context, Exit, Failure};
use crate::config::Config;
use crate::model::{GrantId, SessionId, Timestamp};
use crate::store::GrantStore as _;

const AFTER_HELP: &str = "\
Examples:
  locum grant show g01k9…
  locum grant show s01k9… --json

Exits with 1 if there is no such grant.";

/// Show one grant with all that is known of it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Show {
    /// The grant's id (g…) or its session's (s…).
    #[arg(value_name = "ID")]
    id: Id,
}

/// A grant, by its own id or its session's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    Grant(GrantId),
    Session(SessionId),
}

impl std::str::FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let grant = text.parse().map(Self::Grant);
        let session = text.parse().map(Self::Session);
        let wrong = "is no grant's id (g and 26 characters) and no session's (s and 26 characters)";
        grant.or(session).map_err(|_| wrong.into())
    }
}

impl Show {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let view = find(&config, self.id)?;
        if context.out.is_json() {
            context.out.json(&view)?;
        } else {
            view.print(&mut context.out)?;
        }
        Ok(Exit::Ok)
    }
}

fn find(config: &Config, id: Id) -> Result<View, Failure> {
    let store = super::open(config)?;
    let found = match id {
        Id::Grant(id) => store.find_grant(id),
        Id::Session(id) => store.find_session(id),
    };
    if let Some(it) = found.map_err(super::unusable)? {
        return Ok(View::new(&it.grant, &it.session, Timestamp::now()));
    }
    let remedy = "`locum grant list --all` shows what there is";
    Err(Failure::no("there is no such grant", remedy))
}
