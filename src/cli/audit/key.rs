//! `locum audit key`.

use crate::app;
use crate::audit::tree::{LogKey, VerifierKey};
use crate::cli::{Context, Exit, Failure};
use serde_json::json;
use std::path::PathBuf;

const NEW_HELP: &str = "\
The key stays on this machine, in a file for its owner alone (0600); it is never
shown. What is printed is the verifier key, which auditors, monitors and
witnesses get.

To change keys: add the new file to audit.log.keys, so that both sign; hand out
the new verifier key; take the old file away once nobody relies on it alone.

Examples:
  locum audit key new
  locum audit key new /etc/locum/log-2027.key --origin portal.acme.example/log";

const SHOW_HELP: &str = "\
Examples:
  locum audit key show
  locum audit key show --tenant acme";

/// Make and show the keys that sign the log's checkpoints.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Key {
    New(New),
    Show(Show),
}

/// Make a signing key, and print its verifier key.
#[derive(Debug, clap::Args)]
#[command(after_help = NEW_HELP)]
pub(in crate::cli) struct New {
    /// The file to make [default: the configuration's first].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The log's name [default: the configuration's].
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

/// Print the verifier keys of the log.
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_HELP)]
pub(in crate::cli) struct Show {
    /// Files of keys [default: the configuration's].
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The key of this tenant's tree instead.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

impl Key {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::New(it) => it.run(context),
            Self::Show(it) => it.run(context),
        }
    }
}

impl New {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let origin = match self.origin {
            Some(origin) => origin,
            None => app::log_origin(&context.load_without_files()?),
        };
        let file = match self.file {
            Some(file) => file,
            None => context.load_without_files()?.log_keys().0.swap_remove(0),
        };
        let key = LogKey::generate(&origin).and_then(|key| key.save(&file).map(|()| key));
        let key = key.map_err(|why| {
            Failure::cannot(
                why.to_string(),
                "a key's file is never replaced: choose another",
            )
        })?;
        say(context, &[key.verifier_key()])
    }
}

impl Show {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let keys = if self.files.is_empty() {
            let config = context.load_without_files()?;
            app::log_keys(&config, false).map_err(|why| {
                Failure::cannot(
                    why.to_string(),
                    "make one with `locum audit key new`, or start Locum once",
                )
            })?
        } else {
            let load = |file: &PathBuf| LogKey::load(file);
            let keys = self.files.iter().map(load).collect::<Result<Vec<_>, _>>();
            keys.map_err(|why| Failure::cannot(why.to_string(), ""))?
        };
        let of = |key: &LogKey| match &self.tenant {
            Some(tenant) => key.of_tenant(tenant).verifier_key(),
            None => key.verifier_key(),
        };
        say(context, &keys.iter().map(of).collect::<Vec<_>>())
    }
}

fn say(context: &mut Context, keys: &[String]) -> Result<Exit, Failure> {
    if context.out.is_json() {
        let named = keys
            .iter()
            .filter_map(|text| Some((VerifierKey::parse(text).ok()?, text)));
        let all: Vec<_> = named
            .map(|(key, text)| json!({ "origin": key.name(), "key": text }))
            .collect();
        context.out.json(&json!({ "keys": all }))?;
    } else {
        for key in keys {
            context.out.line(key)?;
        }
    }
    Ok(Exit::Ok)
}
