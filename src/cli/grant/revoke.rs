//! `locum grant revoke`.

use super::show::Id;
use crate::cli::output::printable;
use crate::cli::{Context, Exit, Failure};
use crate::config::Config;
use crate::model::Timestamp;
use crate::store::{GrantStore as _, Revocation, Target};
use serde_json::json;
use std::time::Duration;

const AFTER_HELP: &str = "\
The session ends at once: the next request is refused, and open downloads,
event streams and WebSockets are cut within a tenth of a second. Revoking what
is over already is no error. Exits with 1 if there is nothing of that name.

Examples:
  locum grant revoke g01k9…
  locum grant revoke --token 7d1f… --issuer https://desk.example";

/// Take a grant back and end its session.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Revoke {
    /// The grant's id (g…) or its session's (s…).
    #[arg(value_name = "ID", required_unless_present = "token")]
    id: Option<Id>,
    /// The `jti` of an outside issuer's token, also one that was not used here yet.
    #[arg(long, value_name = "JTI", conflicts_with = "id")]
    token: Option<String>,
    /// With --token: the issuer, where several may use the same `jti`.
    #[arg(long, value_name = "ISS", requires = "token")]
    issuer: Option<String>,
}

impl Revoke {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let done = self.revoke(&config)?;
        print(context, &done)
    }

    fn revoke(self, config: &Config) -> Result<Revocation, Failure> {
        let now = Timestamp::now();
        let target = match (self.id, self.token) {
            (Some(Id::Grant(id)), _) => Target::Grant(id),
            (Some(Id::Session(id)), _) => Target::Session(id),
            (None, Some(external_id)) => Target::External {
                issuer: self.issuer,
                external_id,
                remember_until: now.plus(longest_token(config)),
            },
            (None, None) => {
                let remedy = "name a grant, a session or --token";
                return Err(Failure::usage("nothing to revoke", remedy));
            }
        };
        let store = super::open(config)?;
        store
            .revoke(&target, &super::by(), now)
            .map_err(super::unusable)
    }
}

/// The longest that any issuer's token can live, and a day for good measure.
fn longest_token(config: &Config) -> Duration {
    let lives = config.issuers.iter().map(|it| it.max_lifetime + it.leeway);
    lives.max().unwrap_or_default() + Duration::from_secs(24 * 3600)
}

fn print(context: &mut Context, done: &Revocation) -> Result<Exit, Failure> {
    let exit = if done.is_empty() { Exit::No } else { Exit::Ok };
    if context.out.is_json() {
        let already: Vec<_> = done.already.iter().map(|(session, _)| session).collect();
        let answer = json!({ "ended": done.ended, "already": already, "token": done.token });
        context.out.json(&answer)?;
        return Ok(exit);
    }
    if done.is_empty() {
        let remedy = "`locum grant list --all` shows what there is";
        return Err(Failure::no(
            "there is nothing of that name to revoke",
            remedy,
        ));
    }
    for session in &done.ended {
        context
            .out
            .line(format!("revoked: session {session} has ended"))?;
    }
    for (session, ended) in &done.already {
        let (at, by) = (ended.at, printable(&ended.by));
        context.out.line(format!(
            "session {session} was over already: ended by {by} at {at}"
        ))?;
    }
    if done.token {
        context
            .out
            .line("revoked: the token is refused from now on")?;
    }
    Ok(exit)
}
