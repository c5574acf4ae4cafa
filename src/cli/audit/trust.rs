//! Whom the verifying commands believe.

use crate::app;
use crate::audit::tree::{VerifierKey, VerifierKeys};
use crate::cli::{Context, Failure};

/// Verifier keys from the command line.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Trust {
    /// A verifier key of the log or of a witness (`locum audit key show`). May stand more than once.
    #[arg(long = "vkey", value_name = "KEY")]
    vkeys: Vec<String>,
}

impl Trust {
    /// Whether somebody else's word is asked for on the command line: the key of a witness.
    pub(super) fn has_witness(&self) -> bool {
        let keys = self.vkeys.iter().flat_map(|key| VerifierKey::parse(key));
        keys.into_iter().any(|key| key.is_witness())
    }

    /// The keys given; where none are, those of the configuration, if `ask` and if there are any.
    pub(super) fn keys(&self, context: &Context, ask: bool) -> Result<VerifierKeys, Failure> {
        if !self.vkeys.is_empty() || !ask {
            return VerifierKeys::parse(&self.vkeys).map_err(|why| {
                Failure::usage(
                    why.to_string(),
                    "give the key as `locum audit key show` prints it",
                )
            });
        }
        let config = context.load_without_files()?;
        let ours = app::log_keys(&config, false).unwrap_or_default();
        let ours = ours
            .iter()
            .map(|key| VerifierKey::parse(&key.verifier_key()));
        let theirs = config
            .audit
            .log
            .witnesses
            .iter()
            .map(|it| VerifierKey::parse(&it.key));
        let keys = ours.chain(theirs).collect::<Result<Vec<_>, _>>();
        keys.map(VerifierKeys::new)
            .map_err(|why| Failure::cannot(why.to_string(), ""))
    }
}
