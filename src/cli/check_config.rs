//! `locum check-config`.

use super::output::Tone;
use super::{Context, Exit, Failure};
use crate::app::access_options;
use crate::config::{Config, Problems, documentation, environment};
use crate::policy::access;
use serde_json::json;

const AFTER_HELP: &str = "\
Every problem is listed at once, with file, line, key, value and remedy. The
files that the configuration names (certificates, secrets, policy) must be
there, and the rules for requests for access must be right, unless --no-files
is given. Environment variables that override keys are checked too.

Examples:
  locum check-config
  locum check-config --config /etc/locum/locum.toml --json | jq '.problems[].key'
  LOCUM_LIMITS__MAX_HEADERS=50 locum check-config";

/// Check the configuration and list everything that is wrong with it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CheckConfig {
    /// Do not look at the files that the configuration names.
    #[arg(long)]
    no_files: bool,
    /// Print docs/configuration.md (every key, as it is in this version) and check nothing.
    #[arg(long, conflicts_with_all = ["no_files", "print_keys"])]
    print_docs: bool,
    /// List every key with its environment variable and default, and check nothing.
    #[arg(long, conflicts_with = "no_files")]
    print_keys: bool,
}

impl CheckConfig {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        if self.print_docs {
            context.out.raw(documentation::markdown().as_bytes())?;
            return Ok(Exit::Ok);
        }
        if self.print_keys {
            return print_keys(context);
        }
        let loaded = if self.no_files {
            Config::load_without_files(&context.config, environment())
        } else {
            Config::load(&context.config, environment())
        };
        match loaded {
            Ok(config) if !self.no_files && config.listeners.portal.enabled => {
                match access::check(&config.access.policy, &access_options(&config)) {
                    Ok(_) => good(context, &config),
                    Err(problems) => bad_policy(context, &problems),
                }
            }
            Ok(config) => good(context, &config),
            Err(problems) => bad(context, &problems),
        }
    }
}

fn good(context: &mut Context, config: &Config) -> Result<Exit, Failure> {
    let file = context.config.display().to_string();
    if context.out.is_json() {
        let (apps, upstreams) = (config.apps.len(), config.upstreams.len());
        let answer = json!({ "ok": true, "file": file, "apps": apps, "upstreams": upstreams });
        context.out.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let ok = context.out.paint(Tone::Good, "ok");
    let names: Vec<_> = config.apps.iter().map(|app| app.name.as_str()).collect();
    context
        .out
        .line(format!("{file}: {ok} (apps: {})", names.join(", ")))?;
    Ok(Exit::Ok)
}

/// Rules for requests for access that would keep Locum from starting.
fn bad_policy(context: &mut Context, problems: &crate::policy::Problems) -> Result<Exit, Failure> {
    if context.out.is_json() {
        let file = context.config.display().to_string();
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let answer = json!({ "ok": false, "file": file, "policy_problems": list });
        context.out.json(&answer)?;
    } else {
        super::output::tell(&problems.to_string());
    }
    Ok(Exit::No)
}

fn bad(context: &mut Context, problems: &Problems) -> Result<Exit, Failure> {
    let exit = if problems.is_unreadable() {
        Exit::Cannot
    } else {
        Exit::No
    };
    if context.out.is_json() {
        let file = context.config.display().to_string();
        let list: Vec<_> = problems.iter().collect();
        let answer = json!({ "ok": false, "file": file, "problems": list });
        context.out.json(&answer)?;
        return Ok(exit);
    }
    let count = problems.iter().len();
    let mut text = problems.to_string();
    if exit == Exit::No {
        let s = if count == 1 { "" } else { "s" };
        text = format!(
            "{text}
{count} problem{s}"
        );
    }
    super::output::tell(&text);
    Ok(exit)
}

fn print_keys(context: &mut Context) -> Result<Exit, Failure> {
    let keys = documentation::list();
    if context.out.is_json() {
        context.out.json(&keys)?;
        return Ok(Exit::Ok);
    }
    let row = |key: documentation::Key| {
        let default = key.default.unwrap_or("-");
        vec![key.path.into(), default.into(), key.environment.into()]
    };
    let rows: Vec<_> = keys.into_iter().map(row).collect();
    context
        .out
        .table(&["KEY", "DEFAULT", "ENVIRONMENT"], &rows)?;
    Ok(Exit::Ok)
}
