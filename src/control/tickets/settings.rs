//! What tunes the tickets: systems, how their answers read, how their messages are signed.

use super::preset;
use crate::config;
use crate::control::lookup::{self, Proof, SecretAt};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// All of it. Replaced whole by a reload.
#[derive(Clone, Debug)]
pub struct TicketSettings {
    pub systems: Vec<SystemSettings>,
    /// What tickets look like where no system is configured.
    pub patterns: Vec<String>,
    /// How long an answer is good.
    pub cache_ttl: Duration,
    /// Answers that are remembered.
    pub cache_entries: usize,
}

/// One ticket system.
#[derive(Clone, Debug)]
pub struct SystemSettings {
    pub name: String,
    /// What its tickets look like; a ticket goes to the first system that has a pattern for it.
    pub patterns: Vec<String>,
    pub lookup: lookup::Settings,
    pub mapping: Mapping,
    pub hook: Option<HookSettings>,
}

/// Where a system's answer says what. Places are JSON pointers (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The ticket's own id, which must be the one that was asked for.
    pub id: String,
    pub title: Option<String>,
    pub state: String,
    /// The states, in any case, in which a ticket is open.
    pub open: Vec<String>,
    /// Whose ticket it is; `None`: the system knows no tenants, and its tickets are good for each.
    pub tenant: Option<String>,
    /// What the system calls a tenant of Locum's; itself where it is not there.
    pub tenants: BTreeMap<String, String>,
}

/// How a system's message proves that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// <https://www.standardwebhooks.com/>.
    Standard,
    /// `X-Hub-Signature: sha256=<hex>` over the body, as Jira signs; the time is a member of the body.
    Hub,
    /// `X-Zendesk-Webhook-Signature` over time and body.
    Zendesk,
}

/// A system's messages.
#[derive(Clone, Debug)]
pub struct HookSettings {
    pub scheme: Scheme,
    pub secret: SecretAt,
    /// How far a message's time may be from now.
    pub tolerance: Duration,
    /// Bytes of one message.
    pub max_body: usize,
    /// From a message's head to the end of its body.
    pub timeout: Duration,
    /// Messages that are remembered in memory.
    pub max_remembered: usize,
    pub ticket: String,
    /// Where the message says the ticket's state; the system's open states tell whether it is closed.
    pub state: Option<String>,
    /// Where the message says what happened, and the words that mean an end (a deletion).
    pub event: Option<String>,
    pub closing_events: Vec<String>,
}

/// Which part cannot be made to work, and why.
#[derive(Debug)]
pub struct SetupError {
    /// `tickets.systems.jira`, `subjects`.
    pub what: String,
    pub why: lookup::SetupError,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// The place of a secret, from the two keys that every section with one has.
pub(in crate::control) fn secret_at(
    file: Option<&std::path::PathBuf>,
    variable: Option<&String>,
) -> Option<SecretAt> {
    match (file, variable) {
        (Some(path), _) => Some(SecretAt::File(path.clone())),
        (None, Some(name)) => Some(SecretAt::Variable(name.clone())),
        (None, None) => None,
    }
}

/// How Locum proves who it is, from the keys that every section of a system has.
pub(in crate::control) fn proof_of(
    secret: Option<SecretAt>,
    username: Option<&String>,
    header: Option<&config::HeaderName>,
) -> Proof {
    match (secret, username, header) {
        (None, ..) => Proof::None,
        (Some(password), Some(user), _) => Proof::Basic {
            user: user.clone(),
            password,
        },
        (Some(secret), None, None) => Proof::Field {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            secret,
        },
        (Some(secret), None, Some(header)) => Proof::Field {
            name: header.as_str().to_owned(),
            prefix: String::new(),
            secret,
        },
    }
}

impl From<&config::Tickets> for TicketSettings {
    fn from(from: &config::Tickets) -> Self {
        Self {
            systems: from.systems.iter().map(SystemSettings::from).collect(),
            patterns: from.patterns.clone(),
            cache_ttl: from.cache_ttl,
            cache_entries: from.cache_entries,
        }
    }
}

impl From<&config::TicketSystem> for SystemSettings {
    fn from(from: &config::TicketSystem) -> Self {
        let preset = preset::of(from.preset);
        let or =
            |own: &Option<String>, usual: &str| own.clone().unwrap_or_else(|| usual.to_owned());
        let some = |own: &Option<String>, usual: &str| {
            own.clone()
                .or_else(|| (!usual.is_empty()).then(|| usual.to_owned()))
        };
        let list = |own: &[String], usual: &[&str]| -> Vec<String> {
            if own.is_empty() {
                usual.iter().map(|it| (*it).to_owned()).collect()
            } else {
                own.to_vec()
            }
        };
        let url = if from.url.contains("{ticket}") {
            from.url.clone()
        } else {
            format!("{}{}", from.url.trim_end_matches('/'), preset.path)
        };
        let tenant = some(&from.tenant, preset.tenant);
        Self {
            name: from.name.as_str().to_owned(),
            patterns: list(&from.patterns, preset.patterns),
            lookup: lookup::Settings {
                url,
                proof: proof_of(
                    secret_at(from.secret_file.as_ref(), from.secret_env.as_ref()),
                    from.username.as_ref(),
                    from.auth_header.as_ref(),
                ),
                ca: from.ca.clone(),
                timeout: from.timeout,
                max_body: from.max_body_bytes.len(),
                max_concurrent: from.max_concurrent,
            },
            mapping: Mapping {
                id: or(&from.id, preset.id),
                title: some(&from.title, preset.title),
                state: or(&from.state, preset.state),
                open: list(&from.open, preset.open),
                tenant: tenant.filter(|_| !from.any_tenant),
                tenants: from.tenants.clone(),
            },
            hook: from.webhook.as_ref().and_then(|hook| {
                let secret = secret_at(hook.secret_file.as_ref(), hook.secret_env.as_ref())?;
                Some(HookSettings {
                    scheme: match hook.signature {
                        config::HookSignature::Standard => Scheme::Standard,
                        config::HookSignature::Hub => Scheme::Hub,
                        config::HookSignature::Zendesk => Scheme::Zendesk,
                    },
                    secret,
                    tolerance: hook.tolerance,
                    max_body: hook.max_body_bytes.len(),
                    timeout: hook.timeout,
                    max_remembered: hook.max_remembered,
                    ticket: or(&hook.ticket, preset.hook_ticket),
                    state: some(&hook.state, preset.hook_state),
                    event: some(&hook.event, preset.hook_event),
                    closing_events: list(&hook.closing_events, preset.closing_events),
                })
            }),
        }
    }
}
