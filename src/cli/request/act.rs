//! `locum request cancel`, `activate`, `start-link` and `consent-link`.

use super::view;
use crate::cli::remote::{Client, show, text};
use crate::cli::{Context, Exit, Failure};

/// Take a request back.
#[derive(Debug, clap::Args)]
pub(super) struct Cancel {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
}

impl Cancel {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let request = client.act(&["requests", &self.id, "cancel"])?;
        show(&mut context.out, &request, |out, it| {
            out.line(format!(
                "request {} is {}",
                text(it, "/id"),
                text(it, "/state")
            ))
        })
    }
}

const ACTIVATE_HELP: &str = "\
Prints a URL that works once and for a short time: open it in your browser.
Needs a sign-in of a few minutes ago at most (access.step_up_max_age):
`locum login --fresh`. Exits with 4 if yours is older.";

/// Turn an approved request into a session, and print the link that starts it.
#[derive(Debug, clap::Args)]
#[command(after_help = ACTIVATE_HELP)]
pub(super) struct Activate {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
}

impl Activate {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let started = client.act(&["requests", &self.id, "activate"])?;
        show(&mut context.out, &started, view::started)
    }
}

/// Make a fresh start link for a session that nobody started yet; the one before is void.
#[derive(Debug, clap::Args)]
pub(super) struct StartLink {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
}

impl StartLink {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let started = client.act(&["requests", &self.id, "start-link"])?;
        show(&mut context.out, &started, view::started)
    }
}

/// Ask the customer's administrator to consent: by mail, or by a link to send on where they have no contact.
#[derive(Debug, clap::Args)]
pub(super) struct ConsentLink {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
}

impl ConsentLink {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let link = client.act(&["requests", &self.id, "consent-link"])?;
        show(&mut context.out, &link, |out, it| {
            match text(it, "/mailed_to") {
                to if to.is_empty() => out.line(text(it, "/url")),
                to => out.line(format!("the link was mailed to {to}; nobody else sees it")),
            }
        })
    }
}
