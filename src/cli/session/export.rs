//! `locum session export`: over the API, or from a state directory.

use super::super::remote::Remote;
use super::super::request::word;
use super::super::{Context, Exit, Failure};
use super::offline;
use crate::audit::export::Format;
use crate::cli::output::{printable, tell};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
har      HAR 1.2, for the developer tools of browsers
warc     WARC 1.1, for web archives such as ReplayWeb.page
package  one zip: request, votes, grant, records, proofs, recording;
         `locum audit verify-package` checks it with nothing else at hand

Who exports, when and why goes on record before the first byte is given out.
With --dir no portal is asked: journal, recordings and keys are read where they
lie, with the recording keys of the configuration.

Examples:
  locum session export s01k9… --format package --reason \"Review of SUP-1042\"
  locum session export s01k9… --format warc --reason Audit -o - | warcio check -
  locum session export s01k9… --format har --reason Audit --dir /evidence/var";

/// Give out what is on record of a session, as a file.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Export {
    /// The session.
    #[arg(value_name = "ID")]
    id: String,
    /// In which form.
    #[arg(long, value_name = "FORM", value_parser = form)]
    format: Format,
    /// Why: it goes on record.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    reason: String,
    /// Where to; `-` is standard output [default: a file named after the session].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ask no portal: read what lies in this state directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn form(text: &str) -> Result<Format, String> {
    text.parse()
        .map_err(|()| "is har, warc or package".to_owned())
}

impl Export {
    pub(super) fn run(self, remote: &Remote, context: &mut Context) -> Result<Exit, Failure> {
        let path = self.output.clone().unwrap_or_else(|| {
            let id = self.id.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            PathBuf::from(format!("{id}.{}", self.format.ending()))
        });
        if let Some(dir) = &self.dir {
            let ready = offline::ready(context, dir, &self.id, self.format, &self.reason)?;
            return written(&path, |out| {
                ready.write(out).map_err(|why| {
                    Failure::cannot(why.to_string(), "see what it names, then export again")
                })
            });
        }
        let client = remote.client()?;
        let query = [
            ("format", self.format.as_str()),
            ("reason", self.reason.as_str()),
        ];
        written(&path, |out| {
            client.download(&["sessions", &self.id, "export"], &query, out)
        })
    }
}

/// Writes to a new file that only its owner may read, or to standard output. What broke off is not left behind.
fn written(
    path: &Path,
    work: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        work(&mut out)?;
        return Ok(Exit::Ok);
    }
    let name = printable(&path.display().to_string());
    let cannot = |why: io::Error| {
        let remedy = "name another file with --output; one that is there is never replaced";
        Failure::cannot(format!("{name} cannot be written"), remedy).because(why)
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(cannot)?;
    if let Err(failure) = work(&mut file) {
        // What is not whole is no evidence.
        let _ = std::fs::remove_file(path);
        return Err(failure);
    }
    file.sync_all().map_err(cannot)?;
    tell(&format!("written: {name}"));
    Ok(Exit::Ok)
}
