//! `locum audit verify`.

use super::prove::read;
use super::trust::Trust;
use crate::audit::recording::{Erasure, erasures};
use crate::audit::tree::{Saved, Signed, check_export};
use crate::audit::{self, verify::Options};
use crate::cli::{Context, Exit, Failure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const AFTER_HELP: &str = "\
Reads every record and checks the hash chain from the first to the last; makes
the log's trees anew from the records, and compares every tile and checkpoint.
A record that was changed, removed, moved or cut is named, and the exit code is
1. A last line that was torn when the process was killed is not a fault: it is
marked when Locum starts again.

Signatures are checked with the keys given by --vkey; without a directory, with
the configuration's own. A checkpoint that was kept elsewhere (--checkpoint)
shows that the journal still continues it. docs/verify.py does the same with no
code of Locum's.

It only reads, so it can run beside a serving Locum, and on a copy elsewhere.

Examples:
  locum audit verify
  locum audit verify /evidence/journal --vkey portal.acme.example/log+1a2b3c4d+…
  locum audit verify --checkpoint /mnt/elsewhere/checkpoint
  locum audit verify --from /mnt/elsewhere/checkpoint
  locum audit verify --tenant acme --export acme.jsonl --checkpoint acme.checkpoint";

/// Prove that no record was changed, removed, moved or cut.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Verify {
    /// The journal's directory [default: the configuration's].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere. May stand more than once.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Begin at this checkpoint, which was kept elsewhere: what it covers is not read again, but must be what the tiles
    /// say.
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    from: Option<PathBuf>,
    /// With --export: whose records they are.
    #[arg(long, value_name = "TENANT", requires = "export")]
    tenant: Option<String>,
    /// Instead of a journal, one tenant's records, a line each, against the checkpoint of that tenant's tree.
    #[arg(long, value_name = "FILE", requires_all = ["tenant", "checkpoints"], conflicts_with = "dir")]
    export: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

/// The bar of this process: the verifier tells of bytes, and knows nothing of terminals.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

impl Verify {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        if let (Some(export), Some(tenant)) = (&self.export, &self.tenant) {
            return self.export(export, tenant, context);
        }
        let keys = self.trust.keys(context, self.dir.is_none())?;
        let dir = super::journal(self.dir.clone(), context)?;
        let kept = |path: &PathBuf| -> Result<Saved, Failure> {
            let (name, note) = (path.display().to_string(), read(path)?);
            Ok(Saved { name, note })
        };
        let saved = self.checkpoints.iter().chain(&self.from).map(kept);
        let options = Options {
            keys,
            saved: saved.collect::<Result<_, Failure>>()?,
            from: self.from.as_ref().map(kept).transpose()?,
            progress: begin(&dir, context),
            ..Options::default()
        };
        let report = audit::verify(&dir, &options)
            .map_err(|error| Failure::cannot(error.to_string(), ""))?;
        if let Some(bar) = BAR.get() {
            bar.finish_and_clear();
        }
        // What was erased is gone from the recordings and stays in the journal: a reader is told of both.
        let erased = erasures(&dir).unwrap_or_default();
        if context.out.is_json() {
            let ok = report.is_intact();
            context
                .out
                .json(&json!({ "ok": ok, "report": report, "erased": erased }))?;
        } else {
            context.out.line(report.to_string())?;
            told(context, &erased)?;
        }
        Ok(if report.is_intact() {
            Exit::Ok
        } else {
            Exit::No
        })
    }

    fn export(&self, export: &Path, tenant: &str, context: &mut Context) -> Result<Exit, Failure> {
        let keys = self.trust.keys(context, true)?.of_tenant(tenant);
        let mut verdicts = Vec::new();
        for path in &self.checkpoints {
            let verdict = one(export, tenant, path, &keys, self.trust.has_witness())?;
            verdicts.push((path, verdict));
        }
        let good = verdicts.iter().all(|(_, verdict)| verdict.is_ok());
        for (path, verdict) in verdicts {
            let text = match &verdict {
                Ok(size) => format!(
                    "intact: {size} records of {tenant} are all that {} covers",
                    path.display()
                ),
                Err(why) => format!("BROKEN: {why}"),
            };
            if context.out.is_json() {
                context
                    .out
                    .json(&json!({ "ok": verdict.is_ok(), "detail": text }))?;
            } else {
                context.out.line(text)?;
            }
        }
        Ok(if good { Exit::Ok } else { Exit::No })
    }
}

fn one(
    export: &Path,
    tenant: &str,
    checkpoint: &Path,
    keys: &crate::audit::tree::VerifierKeys,
    must_be_cosigned: bool,
) -> Result<Result<u64, String>, Failure> {
    let signed = match Signed::parse(&read(checkpoint)?) {
        Ok(signed) => signed,
        Err(why) => return Ok(Err(why.to_string())),
    };
    match keys.check(&signed) {
        Err(why) => return Ok(Err(format!("{}: {why}", checkpoint.display()))),
        Ok(0) if must_be_cosigned => {
            let why = "no witness whose key was given cosigned it";
            return Ok(Err(format!("{}: {why}", checkpoint.display())));
        }
        Ok(_) => {}
    }
    let cannot =
        |why| Failure::cannot(format!("cannot read {}", export.display()), "").because(why);
    let file = BufReader::new(fs::File::open(export).map_err(cannot)?);
    let checked = check_export(file.split(b'\n'), tenant, &signed).map_err(cannot)?;
    let place = |line: u64| match line {
        0 => export.display().to_string(),
        line => format!("{} line {line}", export.display()),
    };
    Ok(checked.map_err(|(line, fault)| format!("{}: {fault}", place(line))))
}

/// Shows a bar where somebody looks at a terminal.
fn begin(dir: &Path, context: &Context) -> Option<fn(u64)> {
    if context.out.is_json() || !std::io::stderr().is_terminal() {
        return None;
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let segments =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("segment-"));
    let bytes = segments
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum();
    let bar = BAR.get_or_init(|| ProgressBar::new(bytes));
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    Some(|bytes| {
        if let Some(bar) = BAR.get() {
            bar.inc(bytes);
        }
    })
}

/// How many recordings were erased, by whom and why.
fn told(context: &mut Context, erased: &[Erasure]) -> Result<(), Failure> {
    if erased.is_empty() {
        return Ok(());
    }
    let mut causes: Vec<(String, usize)> = Vec::new();
    for one in erased {
        let cause = format!("{}: {}", one.by, one.why);
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += 1,
            None => causes.push((cause, 1)),
        }
    }
    let s = if erased.len() == 1 { " was" } else { "s were" };
    context.out.line(format!(
        "{} recording{s} erased; their records are whole",
        erased.len()
    ))?;
    for (cause, count) in causes {
        context.out.line(format!("  {count} by {cause}"))?;
    }
    Ok(())
}
