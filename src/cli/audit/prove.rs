//! `locum audit prove`, `locum audit verify-proof` and `locum audit checkpoint`.

use super::trust::Trust;
use crate::audit::tree::{Consistency, Inclusion, LogError, Proofs, Signed};
use crate::cli::{Context, Exit, Failure};
use serde_json::json;
use std::path::{Path, PathBuf};

const INCLUSION_HELP: &str = "\
Prints a proof as C2SP tlog-proof has it: the leaf, the path to the root, and
the checkpoint. Whoever has the record, the proof and the verifier key needs
nothing else: `locum audit verify-proof`.

Examples:
  locum audit prove inclusion 1042 > 1042.tlog-proof
  locum audit prove inclusion 1042 --tenant acme";

const CONSISTENCY_HELP: &str = "\
Prints a proof as C2SP tlog-witness has it: the older size, the hashes, and the
newer checkpoint.

Examples:
  locum audit prove consistency 5000 > continues.proof
  locum audit prove consistency 5000 --to 9000";

const VERIFY_HELP: &str = "\
An inclusion proof needs --record, a file with the record's line. A consistency
proof needs --checkpoint, the older one. Exit code 1: the proof is no good.

Examples:
  locum audit verify-proof 1042.tlog-proof --record record.jsonl --vkey portal.example/log+…
  locum audit verify-proof continues.proof --checkpoint saved --vkey portal.example/log+…";

const CHECKPOINT_HELP: &str = "\
Keep what this prints somewhere else: `locum audit verify --checkpoint FILE`
shows later that the journal still continues it.

Examples:
  locum audit checkpoint > /mnt/elsewhere/checkpoint
  locum audit checkpoint --tenant acme";

/// Prove to others what is in the log.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Prove {
    Inclusion(ProveInclusion),
    Consistency(ProveConsistency),
}

/// Which log.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Where {
    /// The journal's directory [default: the configuration's].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The tree of this tenant instead of the whole one.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

impl Where {
    fn proofs(&self, context: &Context) -> Result<Proofs, Failure> {
        let dir = super::journal(self.dir.clone(), context)?;
        let proofs = match &self.tenant {
            Some(tenant) => Proofs::of_tenant(&dir, tenant),
            None => Proofs::of_all(&dir),
        };
        proofs.map_err(cannot)
    }
}

/// Prove that a record is in the log.
#[derive(Debug, clap::Args)]
#[command(after_help = INCLUSION_HELP)]
pub(in crate::cli) struct ProveInclusion {
    /// The record's sequence number.
    #[arg(value_name = "SEQ")]
    sequence: u64,
    #[command(flatten)]
    place: Where,
}

/// Prove that the log continues one of an older size.
#[derive(Debug, clap::Args)]
#[command(after_help = CONSISTENCY_HELP)]
pub(in crate::cli) struct ProveConsistency {
    /// The older size.
    #[arg(value_name = "SIZE")]
    from: u64,
    /// The size of the newer checkpoint [default: the latest].
    #[arg(long, value_name = "SIZE")]
    to: Option<u64>,
    #[command(flatten)]
    place: Where,
}

impl Prove {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let text = match self {
            Self::Inclusion(it) => {
                let proofs = it.place.proofs(context)?;
                proofs.inclusion(it.sequence).map_err(cannot)?.text()
            }
            Self::Consistency(it) => {
                let proofs = it.place.proofs(context)?;
                let to = it.to.unwrap_or(proofs.checkpoint().size);
                proofs
                    .consistency_between(it.from, to)
                    .map_err(cannot)?
                    .0
                    .text()
            }
        };
        say(context, "proof", &text)
    }
}

/// Check a proof, with nothing but the verifier keys.
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_HELP)]
pub(in crate::cli) struct VerifyProof {
    /// The proof.
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The record that an inclusion proof is about: its line.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The older checkpoint that a consistency proof begins at.
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    checkpoint: Option<PathBuf>,
    /// The proof is about this tenant's tree, and --vkey gives the whole log's keys.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    #[command(flatten)]
    trust: Trust,
}

impl VerifyProof {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut keys = self.trust.keys(context, true)?;
        if let Some(tenant) = &self.tenant {
            keys = keys.of_tenant(tenant);
        }
        let text = read(&self.proof)?;
        let checked = match (&self.record, &self.checkpoint) {
            (Some(record), _) => {
                let record = read(record)?;
                Inclusion::parse(&text)
                    .and_then(|proof| Ok((proof.check_record(&record, &keys)?, proof.checkpoint)))
            }
            (None, Some(older)) => {
                let older = read(older)?;
                let both =
                    Consistency::parse(&text).and_then(|proof| Ok((proof, Signed::parse(&older)?)));
                both.and_then(|(proof, older)| Ok((proof.check(&older, &keys)?, proof.checkpoint)))
            }
            (None, None) => {
                return Err(Failure::usage(
                    "what the proof is about is missing",
                    "give --record for an inclusion proof, --checkpoint for a consistency proof",
                ));
            }
        };
        match checked {
            Ok((cosigned, checkpoint)) if context.out.is_json() => {
                let of = json!({ "ok": true, "origin": checkpoint.origin, "size": checkpoint.size, "cosigned": cosigned });
                context.out.json(&of)?;
                Ok(Exit::Ok)
            }
            Ok((cosigned, checkpoint)) => {
                let (origin, size) = (checkpoint.origin, checkpoint.size);
                context.out.line(format!(
                    "good: {origin} at size {size}, cosigned by {cosigned} known witnesses"
                ))?;
                Ok(Exit::Ok)
            }
            Err(why) if context.out.is_json() => {
                context
                    .out
                    .json(&json!({ "ok": false, "why": why.to_string() }))?;
                Ok(Exit::No)
            }
            Err(why) => {
                context.out.line(format!("NOT GOOD: {why}"))?;
                Ok(Exit::No)
            }
        }
    }
}

/// Print the log's latest checkpoint, to be kept elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = CHECKPOINT_HELP)]
pub(in crate::cli) struct Checkpoint {
    #[command(flatten)]
    place: Where,
}

impl Checkpoint {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let proofs = self.place.proofs(context)?;
        let text = String::from_utf8_lossy(&proofs.checkpoint().bytes()).into_owned();
        say(context, "checkpoint", &text)
    }
}

fn say(context: &mut Context, what: &str, text: &str) -> Result<Exit, Failure> {
    if context.out.is_json() {
        context.out.json(&json!({ what: text }))?;
    } else {
        // The text ends with a newline of its own, which belongs to it.
        context.out.line(text.strip_suffix('\n').unwrap_or(text))?;
    }
    Ok(Exit::Ok)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|why| Failure::cannot(format!("cannot read {}", path.display()), "").because(why))
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn cannot(why: LogError) -> Failure {
    Failure::cannot(
        why.to_string(),
        "the log's checkpoints come with a running Locum (audit.log); `locum audit verify` tells whether it is whole",
    )
}
