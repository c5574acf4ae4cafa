//! `locum request`: ask for access, look at what was asked, and turn a yes into a session.

mod act;
mod ask;
mod list;
mod view;

pub(super) use ask::{About, word};
pub(super) use view::{details, started};

use super::remote::Remote;
use super::{Context, Exit, Failure};

/// Ask for access to a customer's account, and turn a yes into a session.
#[derive(Debug, clap::Args)]
pub(super) struct Request {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Create(Box<ask::Create>),
    Check(Box<ask::Check>),
    List(list::List),
    Show(list::Show),
    Cancel(act::Cancel),
    Activate(act::Activate),
    StartLink(act::StartLink),
    ConsentLink(act::ConsentLink),
}

impl Request {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        match self.what {
            What::Create(it) => it.run(&client, context),
            What::Check(it) => it.run(&client, context),
            What::List(it) => it.run(&client, context),
            What::Show(it) => it.run(&client, context),
            What::Cancel(it) => it.run(&client, context),
            What::Activate(it) => it.run(&client, context),
            What::StartLink(it) => it.run(&client, context),
            What::ConsentLink(it) => it.run(&client, context),
        }
    }
}
