//! `locum session`: what is open, what happened in one, and ending it.

mod export;
mod offline;

use super::output::{Cell, Output, Tone};
use super::remote::{Client, Remote, flag, list, show, text, texts};
use super::request::word;
use super::{Context, Exit, Failure};
use crate::model::LockKey;
use serde_json::{Value, json};
use std::path::PathBuf;

/// See who stands in for whom now, and end it.
#[derive(Debug, clap::Args)]
pub(super) struct Session {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List sessions that are not over, newest first.
    List {
        /// Only your own.
        #[arg(long)]
        mine: bool,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Those after this one: the next page.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show one session and what happened to it.
    Show {
        /// The session.
        #[arg(value_name = "ID")]
        id: String,
        /// Ask no portal: read what lies in this state directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    Export(export::Export),
    /// End one session, everywhere, at once.
    End {
        /// The session.
        #[arg(value_name = "ID")]
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: String,
    },
    /// End every session of one operator, customer, ticket, app, or all.
    EndAll {
        /// Which: `session:ID`, `operator:ID`, `subject:ID`, `tenant:ID`, `ticket:ID`, `app:NAME` or `all`.
        #[arg(value_name = "KEY")]
        key: LockKey,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: String,
    },
}

impl Session {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.what {
            What::Export(it) => return it.run(&self.remote, context),
            What::Show { id, dir: Some(dir) } => return offline::show(context, &dir, &id),
            _ => {}
        }
        let (client, out) = (self.remote.client()?, &mut context.out);
        match self.what {
            // Both are above: they may need no portal.
            What::Export(_) | What::Show { dir: Some(_), .. } => Ok(Exit::Ok),
            What::List { mine, limit, after } => open(&client, out, mine, limit, after.as_deref()),
            What::Show { id, .. } => show(out, &client.one("sessions", &id)?, details),
            What::End { id, reason } => {
                let ended = client.post(&["sessions", &id, "end"], &json!({ "reason": reason }))?;
                show(out, &ended, |out, it| {
                    out.line(format!(
                        "session {} ended at {}",
                        text(it, "/id"),
                        text(it, "/ended/at")
                    ))
                })
            }
            What::EndAll { key, reason } => {
                let body = json!({ "key": key.to_string(), "reason": reason });
                let ended = client.post(&["sessions/end"], &body)?;
                show(out, &ended, |out, it| {
                    out.line(format!("{} session(s) ended", text(it, "/ended")))
                })
            }
        }
    }
}

fn open(
    client: &Client,
    out: &mut Output,
    mine: bool,
    limit: u16,
    after: Option<&str>,
) -> Result<Exit, Failure> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    if mine {
        query.push(("mine", "true"));
    }
    query.extend(after.map(|it| ("after", it)));
    let page = client.get("sessions", &query)?;
    show(out, &page, |out, page| {
        let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
        if rows.is_empty() {
            return out.line("no session is open");
        }
        out.table(
            &[
                "SESSION", "STATE", "OPERATOR", "AS", "OF", "APP", "UNTIL", "",
            ],
            &rows,
        )?;
        match text(page, "/next") {
            next if next.is_empty() => Ok(()),
            next => out.line(format!("more: --after {next}")),
        }
    })
}

fn row(it: &Value) -> Vec<Cell> {
    let state = text(it, "/state");
    let tone = if state == "live" {
        Tone::Good
    } else {
        Tone::Plain
    };
    let glass = if flag(it, "/break_glass") {
        "break-glass"
    } else {
        ""
    };
    vec![
        text(it, "/id").into(),
        Cell::new(&state, tone),
        text(it, "/operator/id").into(),
        text(it, "/subject/id").into(),
        text(it, "/tenant/id").into(),
        text(it, "/app").into(),
        text(it, "/expires_at").into(),
        Cell::new(glass, Tone::Warn),
    ]
}

fn details(out: &mut Output, it: &Value) -> Result<(), Failure> {
    let ended = match text(it, "/ended/cause") {
        cause if cause.is_empty() => String::new(),
        cause => format!(
            "{cause} by {} at {}",
            text(it, "/ended/by"),
            text(it, "/ended/at")
        ),
    };
    out.facts(&[
        ("session", text(it, "/id")),
        ("state", text(it, "/state")),
        ("operator", text(it, "/operator/id")),
        ("as", text(it, "/subject/id")),
        ("of", text(it, "/tenant/id")),
        ("app", text(it, "/app")),
        ("scopes", texts(it, "/scopes")),
        ("ticket", text(it, "/ticket")),
        ("why", text(it, "/reason")),
        (
            "break-glass",
            if flag(it, "/break_glass") { "yes" } else { "" }.to_owned(),
        ),
        ("agreed", texts(it, "/approvals")),
        ("request", text(it, "/request")),
        ("grant", text(it, "/grant")),
        ("issued", text(it, "/issued_at")),
        ("started", text(it, "/started_at")),
        ("last used", text(it, "/last_used_at")),
        ("until", text(it, "/expires_at")),
        ("ended", ended),
    ])?;
    let happened: Vec<Vec<Cell>> = list(it, "/history")
        .iter()
        .map(|one| {
            vec![
                text(one, "/at").into(),
                text(one, "/code").into(),
                text(one, "/actor").into(),
            ]
        })
        .collect();
    if happened.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.table(&["AT", "WHAT", "BY"], &happened)
}
