//! `locum workload`: the inventory of programs that may ask for access.

use super::output::{Cell, Output, Tone};
use super::remote::{Remote, list, show, text, texts};
use super::request::word;
use super::{Context, Exit, Failure, time};
use crate::model::{Scope, Timestamp};
use serde_json::{Value, json};

/// Keep the inventory of automation and AI agents that may ask for access.
#[derive(Debug, clap::Args)]
pub(super) struct Workload {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Register(Box<Register>),
    /// List workloads: who answers for each, and whether it may act.
    List {
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Those after this one: the next page.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Switch a workload off. What it has open ends.
    Disable {
        /// The workload.
        #[arg(value_name = "ID", value_parser = word)]
        id: String,
    },
}

/// Register a workload, or renew one.
#[derive(Debug, clap::Args)]
struct Register {
    /// Its SPIFFE id, or `<issuer>|<sub>` of its JWT.
    #[arg(value_name = "ID", value_parser = word)]
    id: String,
    /// The person who answers for it.
    #[arg(long, value_name = "PERSON", value_parser = word)]
    owner: String,
    /// The system that it belongs to.
    #[arg(long, value_name = "NAME", value_parser = word)]
    system: String,
    /// What it is for.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    purpose: String,
    /// What it may ask for; may be repeated or separated with commas.
    #[arg(
        long,
        short,
        value_name = "SCOPE",
        value_delimiter = ',',
        required = true
    )]
    scope: Vec<Scope>,
    /// In which apps.
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true, value_parser = word)]
    app: Vec<String>,
    /// For which customers; `*` is every one.
    #[arg(long, value_name = "ID", value_delimiter = ',', required = true, value_parser = word)]
    tenant: Vec<String>,
    /// Requests that it may send in one session.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    budget: u64,
    /// When it must be renewed, as in 2026-09-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    renew_by: Timestamp,
}

impl Register {
    fn body(&self) -> Value {
        let scopes: Vec<String> = self.scope.iter().map(ToString::to_string).collect();
        json!({
            "id": self.id, "owner": self.owner, "system": self.system, "purpose": self.purpose,
            "scopes": scopes, "apps": self.app, "tenants": self.tenant, "budget": self.budget,
            "renew_by": self.renew_by.to_string(),
        })
    }
}

impl Workload {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (client, out) = (self.remote.client()?, &mut context.out);
        match self.what {
            What::Register(it) => {
                let made = client.post(&["workloads"], &it.body())?;
                show(out, &made, |out, it| {
                    out.line(format!(
                        "{} is {} until {}",
                        text(it, "/id"),
                        text(it, "/state"),
                        text(it, "/renew_by")
                    ))
                })
            }
            What::List { limit, after } => {
                let limit = limit.to_string();
                let mut query = vec![("limit", limit.as_str())];
                query.extend(after.as_deref().map(|it| ("after", it)));
                show(out, &client.get("workloads", &query)?, table)
            }
            What::Disable { id } => {
                let off = client.post(&["workloads/disable"], &json!({ "id": id }))?;
                show(out, &off, |out, it| {
                    out.line(format!("{} is {}", text(it, "/id"), text(it, "/state")))
                })
            }
        }
    }
}

fn table(out: &mut Output, page: &Value) -> Result<(), Failure> {
    let row = |it: &Value| {
        let state = text(it, "/state");
        let tone = if state == "registered" {
            Tone::Good
        } else {
            Tone::Bad
        };
        let used = match text(it, "/last_used_at") {
            never if never.is_empty() => "never".to_owned(),
            at => at,
        };
        let places = list(it, "/places").len();
        let shared = if places > 1 {
            format!("{places} places")
        } else {
            String::new()
        };
        vec![
            text(it, "/id").into(),
            Cell::new(&state, tone),
            text(it, "/owner").into(),
            text(it, "/system").into(),
            texts(it, "/scopes").into(),
            used.into(),
            text(it, "/renew_by").into(),
            Cell::new(shared, Tone::Warn),
        ]
    };
    let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
    if rows.is_empty() {
        return out.line("no workloads");
    }
    out.table(
        &[
            "WORKLOAD",
            "STATE",
            "OWNER",
            "SYSTEM",
            "SCOPES",
            "LAST USED",
            "RENEW BY",
            "",
        ],
        &rows,
    )?;
    match text(page, "/next") {
        next if next.is_empty() => Ok(()),
        next => out.line(format!("more: --after {next}")),
    }
}
