//! `locum grant issue`.

use crate::cli::{Context, Exit, Failure, time};
use crate::config::{Config, Grants, OriginKind};
use crate::model::{
    Binding, Grant, GrantId, Lock, Operator, OperatorKind, Scope, Secret, SessionId, Subject,
    Tenant, Timestamp,
};
use crate::store::{self, StoreError};
use serde_json::json;
use std::time::Duration;

const AFTER_HELP: &str = "\
Prints a start URL that works once and for a short time (grants.code_ttl, 30s
unless configured). Give it to the operator: it opens the session in their
browser. Whoever has it can start the session, so hand it over directly.

Examples:
  locum grant issue --app shop --operator ada@support.example \\
      --subject kim@acme.example --tenant acme --scope view,orders \\
      --ticket SUP-1042 --reason \"Order 17 shows twice\" --ttl 20m
  locum grant issue … --json | jq -r .start_url";

/// Make a grant and print the URL that starts its session.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Issue {
    /// The app [default: the only one that is configured].
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// What the grant allows; may be repeated or separated with commas.
    #[arg(
        long,
        short,
        value_name = "SCOPE",
        value_delimiter = ',',
        required = true
    )]
    scope: Vec<Scope>,
    /// How long it lasts, as in 30m or 8h [default: `grants.default_ttl`].
    #[arg(long, value_name = "SPAN", value_parser = time::span)]
    ttl: Option<Duration>,
    /// When it begins, as in 2026-03-01T09:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    not_before: Option<Timestamp>,
    #[command(flatten)]
    people: People,
    #[command(flatten)]
    cause: Cause,
}

/// Who stands in for whom.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who")]
struct People {
    /// Who acts: an e-mail address or another stable id.
    #[arg(long, value_name = "ID", value_parser = word)]
    operator: String,
    /// The operator's name, for the banner.
    #[arg(long, value_name = "NAME", value_parser = word)]
    operator_name: Option<String>,
    /// The operator is a program, not a person.
    #[arg(long, conflicts_with = "break_glass")]
    workload: bool,
    /// The customer's user that the operator stands in for.
    #[arg(long, value_name = "ID", value_parser = word)]
    subject: String,
    /// The subject's name.
    #[arg(long, value_name = "NAME", value_parser = word)]
    subject_name: Option<String>,
    /// The customer that the subject belongs to.
    #[arg(long, value_name = "ID", value_parser = word)]
    tenant: String,
    /// The tenant's name, for the banner.
    #[arg(long, value_name = "NAME", value_parser = word)]
    tenant_name: Option<String>,
}

/// Why, and who agreed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Why")]
struct Cause {
    /// The ticket or case.
    #[arg(long, value_name = "ID", value_parser = word)]
    ticket: String,
    /// The reason, in a sentence.
    #[arg(long, value_name = "TEXT", value_parser = word)]
    reason: String,
    /// Who approved it; may be repeated.
    #[arg(long, value_name = "ID", value_parser = word)]
    approved_by: Vec<String>,
    /// Emergency access: shorter, marked in banner and record, to be reviewed after.
    #[arg(long)]
    break_glass: bool,
}

/// A text that is there, fits a record and commands no terminal.
fn word(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("is empty".into())
    } else if text.len() > 500 {
        Err("is longer than 500 bytes".into())
    } else if crate::cli::output::printable(text) != text {
        Err("has control characters".into())
    } else {
        Ok(text.to_owned())
    }
}

/// What `grant issue` made.
struct Made {
    grant: Grant,
    session: SessionId,
    code: Secret,
    code_expires: Timestamp,
}

impl Issue {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let config = context.load_without_files()?;
        let made = self.make(&config, Timestamp::now())?;
        store(&config, &made)?;
        print(context, &config, &made)?;
        Ok(Exit::Ok)
    }

    fn make(self, config: &Config, now: Timestamp) -> Result<Made, Failure> {
        let app = app(self.app, config)?;
        let ttl = ttl(self.ttl, self.cause.break_glass, &config.grants)?;
        let not_before = self.not_before.unwrap_or(now);
        let mut scopes = self.scope;
        scopes.sort();
        scopes.dedup();
        let kind = if self.people.workload {
            OperatorKind::Workload
        } else {
            OperatorKind::Human
        };
        let code = Secret::fresh().map_err(|error| {
            let remedy = "try again; if it stays, this machine's random generator is broken";
            Failure::cannot("no random bytes for the start code", remedy).because(error)
        })?;
        let grant = Grant {
            id: GrantId::fresh(),
            app,
            operator: Operator {
                id: self.people.operator,
                name: self.people.operator_name,
                kind,
            },
            subject: Subject {
                id: self.people.subject,
                name: self.people.subject_name,
            },
            tenant: Tenant {
                id: self.people.tenant,
                name: self.people.tenant_name,
            },
            scopes,
            ticket: self.cause.ticket,
            reason: self.cause.reason,
            approvals: self.cause.approved_by,
            break_glass: self.cause.break_glass,
            not_before,
            expires_at: not_before.max(now).plus(ttl),
            issued_at: now,
            issued_by: super::by(),
            external_id: None,
            budget: None,
        };
        Ok(Made {
            grant,
            session: SessionId::fresh(),
            code,
            code_expires: not_before.max(now).plus(config.grants.code_ttl),
        })
    }
}

/// The app that was named, or the only one.
fn app(asked: Option<String>, config: &Config) -> Result<String, Failure> {
    let names: Vec<_> = config.apps.iter().map(|app| app.name.as_str()).collect();
    match (asked, names.as_slice()) {
        (Some(name), _) if names.contains(&name.as_str()) => Ok(name),
        (Some(name), _) => {
            let message = format!("no app {name:?} is configured");
            Err(Failure::usage(
                message,
                format!("there are: {}", names.join(", ")),
            ))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => {
            let remedy = format!("add --app with one of {}", names.join(", "));
            Err(Failure::usage("several apps are configured", remedy))
        }
    }
}

/// How long the grant lasts: within what the configuration allows, never silently shortened.
fn ttl(asked: Option<Duration>, break_glass: bool, grants: &Grants) -> Result<Duration, Failure> {
    let (max, key) = if break_glass {
        (grants.break_glass_max_ttl, "grants.break_glass_max_ttl")
    } else {
        (grants.max_ttl, "grants.max_ttl")
    };
    let ttl = asked.unwrap_or(grants.default_ttl.min(max));
    if ttl > max {
        let message = format!("--ttl {} is longer than {key} allows", time::words(ttl));
        return Err(Failure::usage(
            message,
            format!("ask for {} at most", time::words(max)),
        ));
    }
    Ok(ttl)
}

/// Where the operator's browser starts the session.
fn start_url(config: &Config, made: &Made) -> String {
    let code = made.code.reveal();
    let app = config.app(&made.grant.app);
    // On a shared origin the host does not name the session, so the link does.
    let shared = app.filter(|app| app.origin == OriginKind::Shared);
    if let Some(url) = shared.and_then(|app| app.public_url.as_ref()) {
        return format!("{url}/.locum/start?session={}&code={code}", made.session);
    }
    let origin = config.session_origin(&made.session.to_string(), &made.grant.app);
    format!("{origin}/.locum/start?code={code}")
}

fn store(config: &Config, made: &Made) -> Result<(), Failure> {
    let issue = store::Issue {
        grant: made.grant.clone(),
        session: made.session,
        // What the configuration binds sessions to is filled in when the session starts.
        binding: Binding::default(),
        code: made.code.hash(),
        code_expires: made.code_expires,
    };
    let grant = &made.grant;
    let stored = super::book(config)?.write("storing a grant", |tx| {
        match tx.locked_for(grant, grant.issued_at)? {
            Some(lock) => Err(NotStored::Locked(Box::new(lock))),
            None => Ok(tx.issue(&issue)?),
        }
    });
    stored.map_err(|why| match why {
        NotStored::Locked(lock) => Failure::no(
            format!("access is locked ({}): {}", lock.key, lock.reason),
            format!("ask {}, who locked it at {}", lock.by, lock.at),
        ),
        NotStored::Store(why) => super::unusable(why),
    })
}

/// Why a grant did not come into being.
enum NotStored {
    Locked(Box<Lock>),
    Store(StoreError),
}

impl From<StoreError> for NotStored {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn print(context: &mut Context, config: &Config, made: &Made) -> Result<(), Failure> {
    let url = start_url(config, made);
    let grant = &made.grant;
    if context.out.is_json() {
        return context.out.json(&json!({
            "grant": grant.id,
            "session": made.session,
            "app": grant.app,
            "start_url": url,
            "start_url_expires_at": made.code_expires.to_string(),
            "not_before": grant.not_before.to_string(),
            "expires_at": grant.expires_at.to_string(),
        }));
    }
    let lasts = time::words(grant.not_before.until(grant.expires_at));
    context.out.facts(&[
        ("grant", grant.id.to_string()),
        ("session", made.session.to_string()),
        ("expires", format!("{} ({lasts})", grant.expires_at)),
        ("start", url),
    ])?;
    let span = time::words(config.grants.code_ttl);
    context
        .out
        .line(format!("\nThe start URL works once, within {span}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_refused_rather_than_cut() {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let grants = Grants {
            max_ttl: minutes(60),
            default_ttl: minutes(30),
            break_glass_max_ttl: minutes(10),
            code_ttl: Duration::from_secs(30),
            session_idle: minutes(15),
        };
        assert_eq!(ttl(None, false, &grants).ok(), Some(minutes(30)));
        assert_eq!(ttl(None, true, &grants).ok(), Some(minutes(10)));
        assert_eq!(
            ttl(Some(minutes(60)), false, &grants).ok(),
            Some(minutes(60))
        );
        let refused = ttl(Some(minutes(11)), true, &grants).err();
        assert_eq!(refused.map(|f| f.exit()), Some(Exit::Usage));
    }

    #[test]
    fn words_command_nothing() {
        assert_eq!(word(" ada "), Ok("ada".into()));
        for text in ["", "  ", "a\u{202e}b", "a\nb", &"a".repeat(501)] {
            assert!(word(text).is_err(), "{text:?}");
        }
    }
}
