//! `locum grant`: give, look at and take back authority.

mod issue;
mod list;
mod revoke;
mod show;
mod view;

use super::{Context, Exit, Failure};
use crate::config::Config;
use crate::store::StoreError;
use crate::store::control::Book;
use crate::store::sqlite::{Settings, Sqlite};

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

/// The store that a serving Locum uses too; it sees what is written here within milliseconds.
fn open(config: &Config) -> Result<Sqlite, Failure> {
    Sqlite::open(&place(config)?).map_err(unusable)
}

/// The same as the control plane sees it, with its locks.
pub(super) fn book(config: &Config) -> Result<Book, Failure> {
    Book::open(&place(config)?).map_err(unusable)
}

fn place(config: &Config) -> Result<Settings, Failure> {
    let path = config.database();
    if let Some(dir) = path.parent() {
        make_private(dir).map_err(|error| {
            let message = format!("cannot make {}", dir.display());
            Failure::cannot(message, "set state_dir to a directory that is yours").because(error)
        })?;
    }
    let busy_timeout = config.store.busy_timeout;
    Ok(Settings { path, busy_timeout })
}

/// Makes the directory, for its owner only, if there is none.
fn make_private(dir: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir)
}

/// The store's errors say what to do themselves.
fn unusable(error: StoreError) -> Failure {
    Failure::cannot("the store of grants cannot be used", "").because(error)
}

/// Who does this, for the record: `cli:<user>`.
pub(super) fn by() -> String {
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
