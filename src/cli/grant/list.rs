//! `locum grant list`.

use super::view::{View, print_list};
use crate::cli::{Context, Exit, Failure};
use crate::config::Config;
use crate::model::Timestamp;
use crate::store::{Filter, GrantStore as _, State, Stored};

const AFTER_HELP: &str = "\
Shows what is pending and live, newest first; --all adds what is over. With
--json, one grant a line.

Examples:
  locum grant list
  locum grant list --all --subject kim@acme.example
  locum grant list --json | jq -r 'select(.state == \"live\") | .session'";

/// List grants and their sessions.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct List {
    /// Those that are over, too.
    #[arg(long, short)]
    all: bool,
    /// Only those for this app.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Only those of this operator.
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Only those for this subject.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only those in this tenant.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Only those for this ticket.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

impl List {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let views = self.find(&config)?;
        print_list(&views, &mut context.out)?;
        Ok(Exit::Ok)
    }

    fn find(self, config: &Config) -> Result<Vec<View>, Failure> {
        let filter = Filter {
            app: self.app,
            operator: self.operator,
            subject: self.subject,
            tenant: self.tenant,
            ticket: self.ticket,
            limit: self.limit.max(1),
            ..Filter::default()
        };
        let store = super::open(config)?;
        let list = |state| {
            let filter = Filter {
                state,
                ..filter.clone()
            };
            store.list(&filter).map_err(super::unusable)
        };
        let found = if self.all {
            list(None)?
        } else {
            let (pending, live) = (list(Some(State::Pending))?, list(Some(State::Live))?);
            newest_first(pending, live, filter.limit)
        };
        let now = Timestamp::now();
        let views = found
            .iter()
            .map(|it| View::new(&it.grant, &it.session, now));
        Ok(views.filter(|view| self.all || view.is_open()).collect())
    }
}

fn newest_first(mut all: Vec<Stored>, more: Vec<Stored>, limit: usize) -> Vec<Stored> {
    all.extend(more);
    all.sort_by_key(|it| std::cmp::Reverse(it.grant.id));
    all.truncate(limit);
    all
}
