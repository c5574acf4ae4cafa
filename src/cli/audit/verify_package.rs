//! `locum audit verify-package`.

use crate::audit::export;
use crate::cli::output::printable;
use crate::cli::{Context, Exit, Failure};
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Checks a package of `locum session export --format package` with nothing else at
hand: each file against the manifest, the manifest's signature, each record's
hash and its place under the signed checkpoints, and each recorded body against
the digest in its record. What is wrong is named, and the exit code is 1.

Take the log's verifier key from somewhere else than the package: whoever runs
Locum prints it with `locum audit key show`. Without one only damage shows.

Examples:
  locum audit verify-package s01k9….zip --vkey portal.example/log+1a2b3c4d+AZ…
  locum audit verify-package s01k9….zip --json";

/// Check a package that somebody exported.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct VerifyPackage {
    /// The package.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    trust: super::trust::Trust,
}

impl VerifyPackage {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let keys = self.trust.keys(context, false)?;
        let keys = Some(&keys).filter(|keys| !keys.is_empty());
        let verdict = export::verify(&self.file, keys).map_err(|why| {
            let message = format!("{} cannot be read as a package", self.file.display());
            Failure::cannot(message, "see whether it is the whole file, and a zip").because(why)
        })?;
        if context.out.is_json() {
            context
                .out
                .json(&json!({ "ok": verdict.is_sound(), "verdict": verdict }))?;
        } else {
            for line in verdict.to_string().lines() {
                context.out.line(printable(line))?;
            }
        }
        Ok(if verdict.is_sound() {
            Exit::Ok
        } else {
            Exit::No
        })
    }
}
