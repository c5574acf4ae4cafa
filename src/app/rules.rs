//! Locum's own rules as one manifest, and what a start or a reload does with others than those in force.

use super::RunError;
use crate::config::{self, Config, Written};
use crate::control::changes::{self, Cause, Rules, Way};
use crate::model::{Change, Manifest, Timestamp};
use crate::policy::Policy;
use crate::policy::access::AccessPolicy;
use crate::proxy::upstream::identity::KeyRing;
use crate::store::control::Book;
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::path::Path;

/// Keys of the configuration that say who somebody is and what they may do.
const ROLES: [&str; 5] = ["roles", "identity", "personas", "issuers", "tenants"];

/// All that is told of one reload or start.
pub(super) struct Read<'a> {
    pub config: &'a Config,
    pub written: &'a Written,
    pub policy: &'a Policy,
    pub access: Option<&'a AccessPolicy>,
    pub keys: &'a KeyRing,
}

impl Read<'_> {
    /// The rules that these files make.
    pub(super) fn rules(&self) -> Rules {
        let mut manifest = Manifest::default();
        for (key, value) in self.written {
            let first = key.split(['.', '[']).next().unwrap_or_default();
            let kind = if ROLES.contains(&first) {
                "roles"
            } else {
                "configuration"
            };
            manifest.put(kind, key, value);
        }
        self.policies(&mut manifest);
        for (n, id) in self.keys.published().iter().enumerate() {
            manifest.put("keys", format!("published {n}"), id);
        }
        manifest.put("keys", "signs", self.keys.key_id());
        for (listener, tls) in [
            ("apps", &self.config.listeners.apps.tls),
            ("portal", &self.config.listeners.portal.tls),
        ] {
            if let Some(ca) = tls.as_ref().and_then(|it| it.client_ca.as_ref()) {
                manifest.put("keys", format!("client CA of {listener}"), hash(ca));
            }
        }
        let access = &self.config.access;
        Rules {
            manifest,
            votes: access.reload_votes,
            authors: access.host_admins.clone(),
            ttl: access.request_ttl,
        }
    }

    fn policies(&self, manifest: &mut Manifest) {
        manifest.put("route-policy", "digest", self.policy.digest());
        for row in self.policy.told() {
            let app = row.app.as_deref().unwrap_or("all apps");
            let never = if row.never { ", never" } else { "" };
            let glass = if row.break_glass {
                ", break-glass only"
            } else {
                ""
            };
            let text = format!(
                "{} {} on {app}, as {} ({}{never}{glass})",
                row.effect,
                row.matching,
                row.action,
                row.tier.as_str()
            );
            manifest.put("route-policy", row.rule, text);
        }
        let Some(access) = self.access else { return };
        manifest.put("access-policy", "digest", access.digest());
        for rule in access.rules() {
            let name = match rule.tenant {
                Some(tenant) => format!("{} of {tenant}", rule.name),
                None => rule.name,
            };
            manifest.put("access-policy", name, rule.text);
        }
    }
}

/// Of a file, or that it cannot be read.
fn hash(path: &Path) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return "unreadable".to_owned();
    };
    let mut out = "SHA-256 ".to_owned();
    for byte in digest(&SHA256, &bytes).as_ref() {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Lets a start go on with these rules, or refuses it. The first start of a store has whatever it has.
pub(super) fn start(book: &Book, rules: &Rules, now: Timestamp) -> Result<(), RunError> {
    match changes::offer(book, rules, Cause::Start, now).map_err(RunError::Store)? {
        Way::Free(by) => changes::take(book, rules, by.as_deref(), now).map_err(RunError::Store),
        Way::Waits(change) => Err(RunError::build("access.reload_votes", unagreed(&change))),
        Way::Others => Err(RunError::build(
            "access.reload_votes",
            "the rules are others than those that people agreed to",
        )),
    }
}

fn unagreed(change: &Change) -> String {
    let mut text = format!(
        "these are other rules than those in force ({}), and nobody agreed to them. What differs:",
        change.before.get(..12).unwrap_or_default()
    );
    for line in &change.differs {
        let _ = write!(text, "\n  {line}");
    }
    let _ = write!(
        text,
        "\nPut the files (and LOCUM_ variables) back and start; then change {} waits at the portal, under Policy, \
         for {} to agree. With their votes this start is let through.",
        change.id,
        people(change.needed)
    );
    text
}

/// "1 person", "2 people".
pub(super) fn people(count: u8) -> String {
    match count {
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    }
}

/// Reads the configuration's file as a reload does.
pub(super) fn read(path: &Path) -> Result<(Config, Written), RunError> {
    Config::load_written(path, config::environment()).map_err(RunError::Config)
}
