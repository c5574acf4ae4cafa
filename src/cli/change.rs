//! `locum change`: other rules than those in force, and whether they may be.

use super::output::{Cell, Output, Tone};
use super::remote::{Client, Remote, list, number, show, text};
use super::request::word;
use super::{Context, Exit, Failure};
use serde_json::{Value, json};

const AFTER_HELP: &str = "\
With access.reload_votes in the configuration, a reload that would change
route policy, access policy, roles, keys or configuration waits here until
other people agree to exactly that digest. Any edit of the files makes another
change, and the old one void.";

/// Agree, or not, to a change of Locum's own rules.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Change {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List changes that wait, newest first.
    List {
        /// Those that wait no more too.
        #[arg(long)]
        all: bool,
    },
    /// Show one change: what differs, and who answered.
    Show {
        /// The change.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Agree to a change.
    Approve {
        /// The change.
        #[arg(value_name = "ID")]
        id: String,
        /// The digest of what was decided on; `locum change show` prints it.
        #[arg(long, value_name = "DIGEST", value_parser = word)]
        digest: String,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: Option<String>,
    },
    /// Refuse a change.
    Deny {
        /// The change.
        #[arg(value_name = "ID")]
        id: String,
        /// The digest of what was decided on; `locum change show` prints it.
        #[arg(long, value_name = "DIGEST", value_parser = word)]
        digest: String,
        /// Why: whoever brought it reads it.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: String,
    },
}

impl Change {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (client, out) = (self.remote.client()?, &mut context.out);
        match self.what {
            What::List { all } => {
                let state: &[(&str, &str)] = if all { &[] } else { &[("state", "pending")] };
                show(out, &client.get("changes", state)?, table)
            }
            What::Show { id } => show(out, &client.one("changes", &id)?, details),
            What::Approve { id, digest, reason } => {
                answer(&client, out, &id, "approve", &digest, reason)
            }
            What::Deny { id, digest, reason } => {
                answer(&client, out, &id, "deny", &digest, Some(reason))
            }
        }
    }
}

fn answer(
    client: &Client,
    out: &mut Output,
    id: &str,
    verdict: &str,
    digest: &str,
    reason: Option<String>,
) -> Result<Exit, Failure> {
    let mut vote = json!({ "digest": digest, "verdict": verdict });
    if let (Some(reason), Some(fields)) = (reason, vote.as_object_mut()) {
        fields.insert("reason".into(), reason.into());
    }
    let change = client.post(&["changes", id, "votes"], &vote)?;
    show(out, &change, |out, it| {
        let (id, state) = (text(it, "/id"), text(it, "/state"));
        let (agreed, needed) = (list(it, "/votes").len(), number(it, "/needed"));
        out.line(format!(
            "change {id} is {state}: {agreed} of {needed} answered"
        ))
    })
}

fn details(out: &mut Output, it: &Value) -> Result<(), Failure> {
    let texts = |at: &str| {
        let all = list(it, at).iter().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(", ")
    };
    out.facts(&[
        ("change", text(it, "/id")),
        ("state", text(it, "/state")),
        ("touches", texts("/kinds")),
        (
            "brought by",
            format!("{} at {}", text(it, "/by"), text(it, "/at")),
        ),
        ("until", text(it, "/expires_at")),
        ("needs", text(it, "/needed")),
        ("in force", text(it, "/before")),
        ("digest", text(it, "/digest")),
    ])?;
    out.line("")?;
    for line in list(it, "/differs").iter().filter_map(Value::as_str) {
        out.line(format!("  {line}"))?;
    }
    let rows: Vec<Vec<Cell>> = list(it, "/votes")
        .iter()
        .map(|vote| {
            vec![
                text(vote, "/person").into(),
                text(vote, "/verdict").into(),
                text(vote, "/at").into(),
                text(vote, "/reason").into(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.table(&["WHO", "VOTE", "AT", "REASON"], &rows)
}

fn table(out: &mut Output, page: &Value) -> Result<(), Failure> {
    let row = |it: &Value| {
        let state = text(it, "/state");
        let tone = match state.as_str() {
            "pending" => Tone::Bad,
            "agreed" | "taken" => Tone::Good,
            _ => Tone::Faint,
        };
        let kinds = list(it, "/kinds").iter().filter_map(Value::as_str);
        vec![
            text(it, "/id").into(),
            Cell::new(&state, tone),
            kinds.collect::<Vec<_>>().join(", ").into(),
            text(it, "/at").into(),
            format!("{} of {}", list(it, "/votes").len(), number(it, "/needed")).into(),
            text(it, "/digest").into(),
        ]
    };
    let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
    if rows.is_empty() {
        return out.line("no changes");
    }
    out.table(
        &["CHANGE", "STATE", "TOUCHES", "AT", "VOTES", "DIGEST"],
        &rows,
    )
}
