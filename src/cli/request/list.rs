//! `locum request list` and `locum request show`.

use super::view;
use crate::cli::remote::{Client, list, show, text};
use crate::cli::{Context, Exit, Failure};

/// List requests, newest first: yours, and those that your roles reach.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only your own.
    #[arg(long)]
    mine: bool,
    /// Only those in this state.
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Those after this one: the next page.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

const STATES: [&str; 7] = [
    "queued",
    "pending",
    "approved",
    "denied",
    "cancelled",
    "expired",
    "activated",
];

impl List {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        if self.mine {
            query.push(("mine", "true"));
        }
        query.extend(self.state.as_deref().map(|it| ("state", it)));
        query.extend(self.after.as_deref().map(|it| ("after", it)));
        let page = client.get("requests", &query)?;
        show(&mut context.out, &page, |out, page| {
            view::table(out, list(page, "/items"))?;
            match text(page, "/next") {
                next if next.is_empty() => Ok(()),
                next => out.line(format!("more: --after {next}")),
            }
        })
    }
}

/// Show one request with the votes on it.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
}

impl Show {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let request = client.one("requests", &self.id)?;
        show(&mut context.out, &request, view::details)
    }
}
