//! `locum grant`: give, look at and take back authority.

mod issue;
mod list;
mod revoke;
mod show;
mod view;

use super::{Context, Exit, Failure};

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
