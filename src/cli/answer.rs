//! `locum approve` and `locum deny`: an answer to exactly what was shown.

use super::remote::{Remote, show, text};
use super::request::{details, word};
use super::{Context, Exit, Failure};
use serde_json::{Value, json};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

const AFTER_HELP: &str = "\
Shows what is asked and sends its digest with the answer: if the request has
changed in between, the answer is refused and nothing counts. On a terminal it
asks first. A script says --yes, or better --digest with what it decided on.";

/// Agree to a request of somebody else.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Approve {
    #[command(flatten)]
    answer: Answer,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    reason: Option<String>,
}

/// Refuse a request of somebody else.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Deny {
    #[command(flatten)]
    answer: Answer,
    /// Why: the operator reads it.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    reason: String,
}

/// Which request, and as it was seen when.
#[derive(Debug, clap::Args)]
struct Answer {
    /// The request.
    #[arg(value_name = "ID")]
    id: String,
    /// The digest of what was decided on; `locum request show` prints it.
    #[arg(long, value_name = "DIGEST", value_parser = word)]
    digest: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Approve {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        self.answer.send("approve", self.reason, context)
    }
}

impl Deny {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        self.answer.send("deny", Some(self.reason), context)
    }
}

impl Answer {
    fn send(
        self,
        verdict: &str,
        reason: Option<String>,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let digest = if let Some(digest) = &self.digest {
            digest.clone()
        } else {
            let seen = client.one("requests", &self.id)?;
            if !context.out.is_json() {
                details(&mut context.out, &seen)?;
            }
            self.agreed(verdict)?;
            text(&seen, "/digest")
        };
        let mut vote = json!({ "digest": digest, "verdict": verdict });
        if let (Some(reason), Some(fields)) = (reason, vote.as_object_mut()) {
            fields.insert("reason".into(), reason.into());
        }
        let after = client.post(&["requests", &self.id, "votes"], &vote)?;
        show(&mut context.out, &after, |out, it| out.line(outcome(it)))
    }

    /// Whether the person at the terminal means it.
    fn agreed(&self, verdict: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            let remedy = "say --yes, or --digest with the digest of what you decided on";
            return Err(Failure::usage("nobody is here to be asked", remedy));
        }
        write!(io::stderr(), "\n{verdict} this? [y/N] ")?;
        let mut line = String::new();
        stdin.lock().read_line(&mut line)?;
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::no("nothing was answered", "")),
        }
    }
}

fn outcome(it: &Value) -> String {
    let (id, state) = (text(it, "/id"), text(it, "/state"));
    let needed = text(it, "/needs/approvals");
    let counting = super::remote::list(it, "/votes")
        .iter()
        .filter(|vote| super::remote::flag(vote, "/counts") && text(vote, "/verdict") == "approve");
    format!(
        "request {id} is {state}: {} of {needed} approval(s)",
        counting.count()
    )
}
