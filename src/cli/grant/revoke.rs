//! `locum grant revoke`.

use super::show::Id;
use crate::cli::{Context, Exit, Failure};
use crate::config::Config;
use crate::control::grants::{self, Which};
use crate::model::Timestamp;
use crate::store::Revocation;
use serde_json::json;

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
        let store = super::store(config)?;
        let id = self.id.map(|id| id.to_string());
        let which = match (&id, &self.token) {
            (Some(id), _) => Which::Id(id),
            (None, token) => Which::ExternalId {
                jti: token.as_deref().unwrap_or_default(),
                issuer: self.issuer.as_deref(),
            },
        };
        let done = grants::revoke(
            &store,
            &which,
            &super::by(),
            &super::issue::limits(config),
            Timestamp::now(),
        );
        // A serving Locum looks for changes this often: when this command has ended, the session has.
        std::thread::sleep(config.store.poll_interval * 3);
        match done {
            Err(grants::Error::NotFound) => Ok(Revocation::default()),
            other => other.map_err(super::failure),
        }
    }
}

fn print(context: &mut Context, done: &Revocation) -> Result<Exit, Failure> {
    let nothing = done.is_empty();
    let already: Vec<_> = done.already.iter().map(|(session, _)| session).collect();
    let exit = if nothing { Exit::No } else { Exit::Ok };
    if context.out.is_json() {
        let answer = json!({ "ended": done.ended, "already": already, "token": done.token });
        context.out.json(&answer)?;
        return Ok(exit);
    }
    if nothing {
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
    for session in already {
        context
            .out
            .line(format!("session {session} was over already"))?;
    }
    if done.token {
        context
            .out
            .line("revoked: the token is refused from now on")?;
    }
    Ok(exit)
}
