//! `locum grant`: give, look at and take back authority.

mod issue;
mod list;
mod revoke;
mod show;
mod view;

use super::{Context, Exit, Failure};
use crate::config::Config;
use crate::control::grants;
use crate::store::sqlite::{self, Sqlite};

/// Give, look at and take back authority to stand in for a customer.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Grant {
    Issue(Box<issue::Issue>),
    List(list::List),
    Show(show::Show),
    Revoke(revoke::Revoke),
}

impl Grant {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Issue(it) => it.run(context),
            Self::List(it) => it.run(context),
            Self::Show(it) => it.run(context),
            Self::Revoke(it) => it.run(context),
        }
    }
}

/// The store of the configured installation, also while it serves.
fn store(config: &Config) -> Result<Sqlite, Failure> {
    let database = config.database();
    if let Some(dir) = database.parent() {
        std::fs::create_dir_all(dir).map_err(|why| {
            Failure::cannot(
                format!("cannot make {}", dir.display()),
                "name a state_dir that you may write",
            )
            .because(why)
        })?;
    }
    let settings = sqlite::Settings {
        path: database,
        busy_timeout: config.store.busy_timeout,
    };
    Sqlite::open(&settings).map_err(|why| {
        Failure::cannot(
            "the grant store cannot be opened",
            "run this as the user that serves, on its machine",
        )
        .because(why)
    })
}

/// What the control plane's refusal means for an exit code.
fn failure(why: grants::Error) -> Failure {
    match why {
        grants::Error::Invalid(_) => {
            Failure::usage(why.to_string(), "mend what is listed and ask again")
        }
        grants::Error::NotFound | grants::Error::Reissue(_) => Failure::no(
            why.to_string(),
            "`locum grant list --all` shows what there is",
        ),
        grants::Error::Random(_) | grants::Error::Store(_) => {
            Failure::cannot("the grant store did not do it", "try again").because(why)
        }
    }
}

/// Who does this, for the record: `cli:<user>`.
fn by() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let user = name("SUDO_USER")
        .or_else(|| name("USER"))
        .or_else(|| name("LOGNAME"));
    let user = user.unwrap_or_else(|| "unknown".into());
    let plain = |c: char| c.is_ascii_graphic();
    format!(
        "cli:{}",
        user.chars()
            .filter(|c| plain(*c))
            .take(64)
            .collect::<String>()
    )
}
