//! `locum break-glass`.

use super::remote::{Remote, show, text};
use super::request::{About, details, started, word};
use super::{Context, Exit, Failure};
use serde_json::Value;

const AFTER_HELP: &str = "\
For people who are pre-authorised, in a declared emergency. The security team is
told before anything opens, everything is recorded, and somebody else reviews it
afterwards; until that is certified, you cannot do it again.

Examples:
  locum break-glass --app shop --tenant acme --subject kim@acme.example \\
      --incident INC-7 --reason-code outage --reason \"Checkout is down\"";

/// Ask in an emergency and open the session at once.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct BreakGlass {
    #[command(flatten)]
    about: About,
    /// The incident.
    #[arg(long, value_name = "ID", value_parser = word)]
    incident: String,
    #[command(flatten)]
    remote: Remote,
}

impl BreakGlass {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let mut fields = self.about.fields();
        fields.insert("incident".into(), self.incident.into());
        let request = client.post(&["break-glass"], &Value::Object(fields))?;
        if text(&request, "/state") != "approved" {
            // Policy may want somebody's yes even now.
            return show(&mut context.out, &request, details);
        }
        let id = text(&request, "/id");
        let opened = client
            .act(&["requests", &id, "activate"])
            .inspect_err(|_| {
                super::output::tell(&format!(
                    "request {id} stands; `locum request activate {id}` opens it"
                ));
            })?;
        show(&mut context.out, &opened, started)
    }
}
