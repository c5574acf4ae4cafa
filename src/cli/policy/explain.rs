//! `locum policy explain`.

use super::{Context, Exit, Failure};
use crate::model::{Scope, Timestamp};
use crate::policy::{self, ExplainQuery, Policy};
use std::net::IpAddr;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
The rows that were tried are listed in order, with the one that decided and why.
Exits with 0 whatever the decision is; read .effect of --json for it.

Examples:
  locum policy explain --scope view \"GET /orders/17\"
  locum policy explain --scope view \"POST /account/mfa/reset\"
  locum policy explain --app shop --scope orders \"POST /graphql\" \\
      --header \"Content-Type: application/json\" --body '{\"query\":\"{ orders { id } }\"}'";

/// Tell what policy says of one request, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Explain {
    /// Method and target, as in "POST /account/mfa/reset?step=2".
    request: String,
    /// A scope that the grant carries; may be repeated or separated with commas.
    #[arg(long, short, value_name = "SCOPE", value_delimiter = ',')]
    scope: Vec<Scope>,
    /// The app [default: the only one that is configured].
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// A header field of the request, as in "Next-Action: 7f…"; may be repeated.
    #[arg(long, short = 'H', value_name = "FIELD", value_parser = header)]
    header: Vec<(String, String)>,
    /// The body of the request.
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,
    /// A file with the body of the request.
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Take it as the upgrade to a WebSocket.
    #[arg(long)]
    websocket: bool,
    /// Policy files or directories; may be repeated [default: policy.paths of the configuration].
    #[arg(long = "policy", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    grant: GrantFacts,
}

/// What conditions can ask of the grant.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The grant, for rows with conditions")]
struct GrantFacts {
    /// The operator.
    #[arg(long, value_name = "ID", default_value = "operator@example.com")]
    operator: String,
    /// The subject.
    #[arg(long, value_name = "ID", default_value = "subject@example.com")]
    subject: String,
    /// The tenant.
    #[arg(long, value_name = "ID", default_value = "example")]
    tenant: String,
    /// The ticket.
    #[arg(long, value_name = "ID", default_value = "EXAMPLE-1")]
    ticket: String,
    /// Who approved it; may be repeated.
    #[arg(long, value_name = "ID")]
    approved_by: Vec<String>,
    /// It is a break-glass grant.
    #[arg(long)]
    break_glass: bool,
    /// The client's address.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The time of the request, as in 2026-03-01T09:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = crate::cli::time::moment)]
    at: Option<Timestamp>,
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write it as \"Name: value\"".into()),
    }
}

impl Explain {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let body = self.body()?;
        let resolved = super::resolve(self.paths, context)?;
        let app = super::only_app(self.app, resolved.options.apps.as_deref())?;
        let policy = Policy::load(&resolved.paths, &resolved.options).map_err(|problems| {
            let message = format!("the policy has errors:\n{problems}");
            Failure::cannot(
                message,
                "mend what is listed, then run `locum policy check`",
            )
        })?;
        let query = ExplainQuery {
            app,
            request: self.request,
            headers: self.header,
            body,
            websocket: self.websocket,
            scopes: self.scope,
            operator: self.grant.operator,
            subject: self.grant.subject,
            tenant: self.grant.tenant,
            ticket: self.grant.ticket,
            approvals: self.grant.approved_by,
            break_glass: self.grant.break_glass,
            client: self.grant.client,
            now: self.grant.at,
        };
        let explanation = policy::explain(&policy, &query).map_err(|why| {
            Failure::usage(why, "write method and target, as in \"GET /orders/17\"")
        })?;
        if context.out.is_json() {
            context.out.json(&explanation)?;
        } else {
            context.out.line(explanation.to_string())?;
        }
        Ok(Exit::Ok)
    }

    fn body(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = &self.body_file else {
            return Ok(self.body.clone().map(String::into_bytes));
        };
        std::fs::read(file).map(Some).map_err(|error| {
            let message = format!("cannot read the body from {}", file.display());
            Failure::cannot(message, "name a file that you may read").because(error)
        })
    }
}
