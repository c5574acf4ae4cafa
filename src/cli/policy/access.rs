//! `locum policy access`.

use super::{Context, Exit, Failure};
use crate::cli::output::Tone;
use crate::model::{OperatorKind, Scope, SubjectClass, Tier, Timestamp};
use crate::policy::Policy;
use crate::policy::access::{AccessPolicy, Answer, Facts};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
Tells whether somebody would be let in, who must agree first, for how long, and
which rules said so. Nothing is asked for. Exits with 0 whatever the answer is;
read .effect of --json for it.

Examples:
  locum policy access --scope view
  locum policy access --scope view,orders --tenant acme --class vip --hour 22
  locum policy access --scope break-glass --emergency --group on-call";

/// Tell what the access policy says of a request for access, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(in crate::cli) struct Access {
    /// A scope that is asked for; may be repeated or separated with commas.
    #[arg(
        long,
        short,
        value_name = "SCOPE",
        value_delimiter = ',',
        required = true
    )]
    scope: Vec<Scope>,
    /// The app [default: the only one that is configured].
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Who asks.
    #[arg(long, value_name = "ID", default_value = "operator@example.com")]
    person: String,
    /// A group that they are in; may be repeated.
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// A workload asks.
    #[arg(long)]
    workload: bool,
    /// The tenant.
    #[arg(long, value_name = "ID", default_value = "example")]
    tenant: String,
    /// The subject.
    #[arg(long, value_name = "ID", default_value = "subject@example.com")]
    subject: String,
    /// How sensitive the account is: ordinary, vip, admin or regulated.
    #[arg(long, value_name = "CLASS", default_value = "ordinary", value_parser = class)]
    class: SubjectClass,
    /// How long, in minutes.
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: u64,
    /// No ticket is named.
    #[arg(long)]
    no_ticket: bool,
    /// The reason code.
    #[arg(long, value_name = "CODE", default_value = "customer-request")]
    reason_code: String,
    /// It is break-glass.
    #[arg(long)]
    emergency: bool,
    /// The hour of the day in the configured zone.
    #[arg(long, value_name = "0-23", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..24))]
    hour: u8,
    /// The day of the week; 1 is Monday.
    #[arg(long, value_name = "1-7", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..8))]
    weekday: u8,
    /// A change window is open [default: as configured, now].
    #[arg(long)]
    change_window: bool,
    /// Policy files or directories; may be repeated [default: those of the configuration].
    #[arg(long = "policy", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

fn class(word: &str) -> Result<SubjectClass, String> {
    SubjectClass::named(word).ok_or_else(|| {
        let known = SubjectClass::ALL.map(SubjectClass::as_str).join(", ");
        format!("write one of {known}")
    })
}

impl Access {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let resolved = super::resolve(self.paths.clone(), context)?;
        let app = super::only_app(self.app.clone(), resolved.options.apps.as_deref())?;
        let broken = |problems: &dyn std::fmt::Display| {
            let message = format!("the policy has errors:\n{problems}");
            let remedy = "mend what is listed, then run `locum policy check`";
            Failure::cannot(message, remedy)
        };
        let routes =
            Policy::load(&resolved.paths, &resolved.options).map_err(|why| broken(&why))?;
        let access = AccessPolicy::load(&resolved.access_paths, &resolved.access)
            .map_err(|why| broken(&why))?;
        let tier = routes.tier_of(&app, &self.scope);
        let window =
            self.change_window || access.in_change_window(&app, &self.tenant, Timestamp::now());
        let answer = access.decide(&self.facts(&app, tier, window));
        self.tell(&answer, tier, access.digest(), context)
    }

    fn facts<'a>(&'a self, app: &'a str, tier: Tier, change_window: bool) -> Facts<'a> {
        Facts {
            person: &self.person,
            groups: &self.group,
            kind: if self.workload {
                OperatorKind::Workload
            } else {
                OperatorKind::Human
            },
            app,
            tenant: &self.tenant,
            subject: &self.subject,
            class: self.class,
            scopes: &self.scope,
            tier,
            duration: Duration::from_secs(self.minutes.saturating_mul(60)),
            has_ticket: !self.no_ticket,
            reason_code: &self.reason_code,
            emergency: self.emergency,
            hour: self.hour,
            weekday: self.weekday,
            change_window,
        }
    }

    fn tell(
        &self,
        answer: &Answer,
        tier: Tier,
        digest: &str,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        let out = &mut context.out;
        let tier = tier.as_str();
        match answer {
            Answer::Deny { rules, message } if out.is_json() => {
                let told = json!({ "effect": "deny", "tier": tier, "rules": rules, "message": message, "digest": digest });
                out.json(&told)?;
            }
            Answer::Allow(needs) if out.is_json() => {
                let minutes = needs.max_time.as_secs() / 60;
                let told = json!({
                    "effect": "permit", "tier": tier, "rules": needs.rules, "approvals": needs.approvals,
                    "consent": needs.consent, "max_minutes": (minutes > 0).then_some(minutes), "digest": digest,
                });
                out.json(&told)?;
            }
            Answer::Deny { rules, message } => {
                let word = out.paint(Tone::Bad, "denied");
                out.line(format!("{word}: {message}"))?;
                out.line(format!("  rules     {}", rules.join(", ")))?;
                out.line(format!("  tier      {tier}"))?;
            }
            Answer::Allow(needs) => {
                let word = out.paint(Tone::Good, "permitted");
                let agree = match needs.approvals {
                    0 => "nobody needs to agree".to_owned(),
                    1 => "one person must agree".to_owned(),
                    n => format!("{n} people must agree"),
                };
                let consent = if needs.consent {
                    ", and the customer"
                } else {
                    ""
                };
                out.line(format!("{word}: {agree}{consent}"))?;
                let most = needs.max_time.as_secs() / 60;
                if most > 0 {
                    let asked = self.minutes;
                    let too_long = if asked > most {
                        format!("; {asked} are too long")
                    } else {
                        String::new()
                    };
                    out.line(format!("  at most   {most} minutes{too_long}"))?;
                }
                out.line(format!("  rules     {}", needs.rules.join(", ")))?;
                out.line(format!("  tier      {tier}"))?;
            }
        }
        Ok(Exit::Ok)
    }
}
