//! `locum lock`: keep somebody or something out, now and from now on.

use super::output::{Cell, Output, Tone};
use super::remote::{Client, Remote, flag, list, show, text};
use super::request::word;
use super::{Context, Exit, Failure, time};
use crate::model::{LockKey, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// Refuse present and future access by a key: an operator, a customer, a ticket, an app, or all.
#[derive(Debug, clap::Args)]
pub(super) struct Lock {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set a lock. What lives under the key ends at once.
    Add {
        /// What: `session:ID`, `operator:ID`, `subject:ID`, `tenant:ID`, `ticket:ID`, `app:NAME` or `all`.
        #[arg(value_name = "KEY")]
        key: LockKey,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: String,
        /// How long, as in 8h [default: until it is lifted].
        #[arg(long = "for", value_name = "SPAN", value_parser = time::span, conflicts_with = "until")]
        span: Option<Duration>,
        /// Until when, as in 2026-03-01T09:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = time::moment)]
        until: Option<Timestamp>,
    },
    /// List locks, newest first.
    List {
        /// Those that were lifted too.
        #[arg(long)]
        all: bool,
    },
    /// Lift a lock.
    Lift {
        /// The lock.
        #[arg(value_name = "ID")]
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = word)]
        reason: String,
    },
}

impl Lock {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (client, out) = (self.remote.client()?, &mut context.out);
        match self.what {
            What::Add {
                key,
                reason,
                span,
                until,
            } => {
                let until = until.or_else(|| span.map(|span| Timestamp::now().plus(span)));
                add(&client, out, &key, &reason, until)
            }
            What::List { all } => {
                let state: &[(&str, &str)] = if all { &[] } else { &[("state", "held")] };
                show(out, &client.get("locks", state)?, table)
            }
            What::Lift { id, reason } => {
                let lifted = client.post(&["locks", &id, "lift"], &json!({ "reason": reason }))?;
                show(out, &lifted, |out, it| {
                    out.line(format!(
                        "lock {} on {} is lifted",
                        text(it, "/id"),
                        text(it, "/key")
                    ))
                })
            }
        }
    }
}

fn add(
    client: &Client,
    out: &mut Output,
    key: &LockKey,
    reason: &str,
    until: Option<Timestamp>,
) -> Result<Exit, Failure> {
    let mut body = json!({ "key": key.to_string(), "reason": reason });
    if let (Some(until), Some(fields)) = (until, body.as_object_mut()) {
        fields.insert("until".into(), until.to_string().into());
    }
    let set = client.post(&["locks"], &body)?;
    show(out, &set, |out, it| {
        let (id, key) = (text(it, "/id"), text(it, "/key"));
        out.line(format!(
            "lock {id} on {key}: {} session(s) ended",
            text(it, "/ended")
        ))
    })
}

fn table(out: &mut Output, page: &Value) -> Result<(), Failure> {
    let row = |it: &Value| {
        let (state, tone) = match (flag(it, "/holds"), text(it, "/state")) {
            (true, _) => ("holds".to_owned(), Tone::Bad),
            (false, state) if state == "held" => ("over".to_owned(), Tone::Faint),
            (false, state) => (state, Tone::Faint),
        };
        vec![
            text(it, "/id").into(),
            Cell::new(&state, tone),
            text(it, "/key").into(),
            text(it, "/until").into(),
            text(it, "/by").into(),
            text(it, "/reason").into(),
        ]
    };
    let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
    if rows.is_empty() {
        return out.line("no locks");
    }
    out.table(&["LOCK", "STATE", "KEY", "UNTIL", "BY", "REASON"], &rows)
}
