//! `locum request create` and `locum request check`.

use super::view;
use crate::cli::remote::{Client, flag, number, show, text, texts};
use crate::cli::{Context, Exit, Failure, time};
use crate::model::Scope;
use serde_json::{Map, Value, json};
use std::time::Duration;

const CREATE_HELP: &str = "\
Prints the request's id, what policy demands, and whose answer is missing.
Once it is approved, `locum request activate ID` opens the session.

Examples:
  locum request create --app shop --tenant acme --subject kim@acme.example \\
      --scope view,orders --ticket SUP-1042 --ttl 20m \\
      --reason-code billing --reason \"Order 17 shows twice\"";

/// Ask for access.
#[derive(Debug, clap::Args)]
#[command(after_help = CREATE_HELP)]
pub(super) struct Create {
    #[command(flatten)]
    ask: Ask,
}

/// Say what would become of a request, without making it.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    ask: Ask,
}

/// What is asked for.
#[derive(Debug, clap::Args)]
struct Ask {
    #[command(flatten)]
    about: About,
    /// What to allow; may be repeated or separated with commas.
    #[arg(
        long,
        short,
        value_name = "SCOPE",
        value_delimiter = ',',
        required = true
    )]
    scope: Vec<Scope>,
    /// The refused exchange that this asks elevation for; the refusal page names it.
    #[arg(long, value_name = "ID", value_parser = word)]
    elevates: Option<String>,
}

/// Whose account, for how long, and why: what an ordinary request and an emergency have in common.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct About {
    /// The app.
    #[arg(long, value_name = "NAME", value_parser = word)]
    app: String,
    /// The customer.
    #[arg(long, value_name = "ID", value_parser = word)]
    tenant: String,
    /// The customer's user to stand in for.
    #[arg(long, value_name = "ID", value_parser = word)]
    subject: String,
    /// The subject's name.
    #[arg(long, value_name = "NAME", value_parser = word)]
    subject_name: Option<String>,
    /// How long the grant is to last, as in 30m [default: `grants.default_ttl`].
    #[arg(long, value_name = "SPAN", value_parser = time::span)]
    ttl: Option<Duration>,
    /// The ticket or case.
    #[arg(long, value_name = "ID", value_parser = word)]
    ticket: Option<String>,
    /// One of the configured reason codes (`access.reason_codes`).
    #[arg(long, value_name = "CODE", value_parser = word)]
    reason_code: String,
    /// The reason, in a sentence.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    reason: String,
}

/// A text that is there and commands no terminal.
pub(in crate::cli) fn word(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("is empty".into())
    } else if crate::cli::output::printable(text) != text {
        Err("has control characters".into())
    } else {
        Ok(text.to_owned())
    }
}

impl About {
    /// As the API takes it.
    pub(in crate::cli) fn fields(self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                fields.insert(name.to_owned(), value);
            }
        };
        set("app", self.app.into());
        set("tenant", self.tenant.into());
        set("subject", self.subject.into());
        set("subject_name", self.subject_name.into());
        set(
            "minutes",
            self.ttl.map(|it| it.as_secs().div_ceil(60)).into(),
        );
        set("ticket", self.ticket.into());
        set("reason_code", self.reason_code.into());
        set("reason", self.reason.into());
        fields
    }
}

impl Ask {
    fn body(self) -> Value {
        let mut fields = self.about.fields();
        let scopes: Vec<String> = self.scope.iter().map(ToString::to_string).collect();
        fields.insert("scopes".into(), json!(scopes));
        if let Some(exchange) = self.elevates {
            fields.insert("elevates".into(), exchange.into());
        }
        Value::Object(fields)
    }
}

impl Create {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let made = client.post(&["requests"], &self.ask.body())?;
        show(&mut context.out, &made, view::details)
    }
}

impl Check {
    pub(super) fn run(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let would = client.post(&["requests/preview"], &self.ask.body())?;
        show(&mut context.out, &would, |out, would| {
            out.facts(&[
                ("approvals", text(would, "/needs/approvals")),
                (
                    "consent",
                    if flag(would, "/needs/consent") {
                        "by the customer"
                    } else {
                        ""
                    }
                    .to_owned(),
                ),
                ("for", format!("{}m", number(would, "/minutes"))),
                ("scopes", texts(would, "/scopes")),
                ("tier", text(would, "/tier")),
                ("account", text(would, "/class")),
                (
                    "ticket",
                    [text(would, "/ticket/id"), text(would, "/ticket/title")]
                        .join(" ")
                        .trim()
                        .to_owned(),
                ),
                (
                    "waits",
                    if flag(would, "/waits_for_ticket") {
                        "for the ticket system"
                    } else {
                        ""
                    }
                    .to_owned(),
                ),
                ("rules", texts(would, "/needs/rules")),
            ])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        ask: Ask,
    }

    #[test]
    fn a_request_says_what_was_asked_and_nothing_else() -> Result<(), clap::Error> {
        let line = "x --app shop --tenant acme --subject kim@acme.example --scope view,orders --ttl 90s \
                    --reason-code billing --reason twice";
        let line = Line::try_parse_from(line.split_whitespace())?;
        let expected = json!({
            "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "minutes": 2,
            "reason_code": "billing", "reason": "twice", "scopes": ["view", "orders"],
        });
        assert_eq!(line.ask.body(), expected);
        Ok(())
    }
}
