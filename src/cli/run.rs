//! `locum run`.

use super::{Context, Exit, Failure};

const AFTER_HELP: &str = "\
Signals:
  SIGTERM, SIGINT   stop taking requests, let open ones end, then exit
  SIGHUP            read configuration, policy and certificates again; what is
                    bad is refused, and what was good stays; with
                    access.reload_votes, other rules wait for people to agree

Locum does not serve unless it can decide and record: without configuration,
policy, store or journal it says why and exits with 3.";

/// Serve: check, record and forward requests until told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Run {}

impl Run {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Self {} = self;
        crate::app::seed();
        let (config, written) = context.load_written()?;
        let remedy =
            "mend what it names, then start again; `locum check-config` looks without serving";
        crate::app::run(&config, &written, &context.config)
            .map_err(|why| Failure::cannot(why.to_string(), remedy))?;
        Ok(Exit::Ok)
    }
}
