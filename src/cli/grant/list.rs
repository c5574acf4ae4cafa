//! `locum grant list`.

use super::view::{View, print_list};
use crate::cli::{Context, Exit, Failure};
use crate::config::Config;
use crate::control::grants;
use crate::model::Timestamp;
use crate::store::Filter;

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
        let store = super::store(config)?;
        let filter = Filter {
            app: self.app,
            operator: self.operator,
            subject: self.subject,
            tenant: self.tenant,
            ticket: self.ticket,
            limit: if self.all { self.limit } else { 0 },
            ..Filter::default()
        };
        let now = Timestamp::now();
        let found = grants::list(&store, &filter).map_err(super::failure)?;
        let views = found
            .iter()
            .map(|stored| View::new(&stored.grant, &stored.session, now));
        Ok(views
            .filter(|view| self.all || view.is_open())
            .take(self.limit)
            .collect())
    }
}
