//! `locum review`: what came of breaking the glass.

use super::output::{Cell, Output, Tone};
use super::remote::{Client, Remote, flag, list, show, text, texts};
use super::request::word;
use super::{Context, Exit, Failure};
use serde_json::{Value, json};

/// Read and write the reviews that follow break-glass.
#[derive(Debug, clap::Args)]
pub(super) struct Review {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List reviews, newest first.
    List {
        /// Only those in this state.
        #[arg(long, value_name = "STATE", value_parser = ["due", "certified", "rejected"])]
        state: Option<String>,
    },
    /// Show one review, and what happened in its session.
    Show {
        /// The review.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Find that it was justified: its operator may break glass again.
    Certify(Verdict),
    /// Find that it was not. Somebody else may take it up again.
    Reject(Verdict),
}

/// What a reviewer found.
#[derive(Debug, clap::Args)]
struct Verdict {
    /// The review.
    #[arg(value_name = "ID")]
    id: String,
    /// What was touched, and why that was right or not.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    findings: String,
    /// What must be done now; may be repeated.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    follow_up: Vec<String>,
}

impl Review {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (client, out) = (self.remote.client()?, &mut context.out);
        match self.what {
            What::List { state } => {
                let query: Vec<_> = state.iter().map(|it| ("state", it.as_str())).collect();
                show(out, &client.get("reviews", &query)?, table)
            }
            What::Show { id } => one(&client, out, &id),
            What::Certify(verdict) => verdict.send(&client, out, true),
            What::Reject(verdict) => verdict.send(&client, out, false),
        }
    }
}

impl Verdict {
    fn send(self, client: &Client, out: &mut Output, justified: bool) -> Result<Exit, Failure> {
        let body = json!({
            "justified": justified, "findings": self.findings, "follow_ups": self.follow_up,
        });
        let written = client.post(&["reviews", &self.id, "verdict"], &body)?;
        show(out, &written, |out, it| {
            out.line(format!(
                "review {} is {}",
                text(it, "/id"),
                text(it, "/state")
            ))
        })
    }
}

fn one(client: &Client, out: &mut Output, id: &str) -> Result<Exit, Failure> {
    let review = client.one("reviews", id)?;
    let session = client.one("sessions", &text(&review, "/session"))?;
    let both = json!({ "review": review, "session": session });
    show(out, &both, |out, both| {
        let at = |name: &str| text(both, &format!("/review{name}"));
        let state = if flag(both, "/review/overdue") {
            "due, overdue".to_owned()
        } else {
            at("/state")
        };
        out.facts(&[
            ("review", at("/id")),
            ("state", state),
            ("operator", at("/operator")),
            ("as", at("/subject")),
            ("of", at("/tenant")),
            ("app", at("/app")),
            ("incident", at("/incident")),
            ("why", at("/reason")),
            ("agreed", texts(both, "/review/approvers")),
            ("opened", at("/opened_at")),
            ("due", at("/due_at")),
            ("escalated", at("/escalated_at")),
            ("session", at("/session")),
            ("ended", text(both, "/session/ended/at")),
            ("reviewer", at("/reviewer")),
            ("findings", at("/findings")),
            ("follow-ups", texts(both, "/review/follow_ups")),
        ])?;
        out.line("")?;
        let happened = list(both, "/session/history").iter();
        let rows: Vec<Vec<Cell>> = happened
            .map(|one| {
                vec![
                    text(one, "/at").into(),
                    text(one, "/code").into(),
                    text(one, "/actor").into(),
                ]
            })
            .collect();
        out.table(&["AT", "WHAT", "BY"], &rows)
    })
}

fn table(out: &mut Output, page: &Value) -> Result<(), Failure> {
    let row = |it: &Value| {
        let (state, tone) = match (text(it, "/state"), flag(it, "/overdue")) {
            (_, true) => ("overdue".to_owned(), Tone::Bad),
            (state, _) if state == "due" => (state, Tone::Warn),
            (state, _) => (state, Tone::Plain),
        };
        vec![
            text(it, "/id").into(),
            Cell::new(&state, tone),
            text(it, "/operator").into(),
            text(it, "/subject").into(),
            text(it, "/tenant").into(),
            text(it, "/incident").into(),
            text(it, "/due_at").into(),
        ]
    };
    let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
    if rows.is_empty() {
        return out.line("no reviews");
    }
    out.table(
        &["REVIEW", "STATE", "OPERATOR", "AS", "OF", "INCIDENT", "DUE"],
        &rows,
    )
}
