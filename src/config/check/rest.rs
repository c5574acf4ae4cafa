//! Grants, issuers and keys.

use super::Check;
use crate::config::{Issuer, MinFree};

pub(super) fn check(check: &mut Check<'_>) {
    grants(check);
    room(check, "audit.min_free", &check.config.audit.min_free);
    room(
        check,
        "recording.min_free",
        &check.config.recording.min_free,
    );
    issuers(check);
    if check.config.policy.paths.is_empty() {
        let remedy = "name at least one file or directory: without policy nothing is allowed";
        check.problem("policy.paths", "empty", remedy);
    }
    let store = &check.config.store;
    if store.lease < store.poll_interval * 3 {
        let remedy = "make it at least three times store.poll_interval";
        check.problem("store.lease", "too close to the polling", remedy);
    }
}

/// The alarm comes first, where both are wanted.
fn room(check: &mut Check<'_>, key: &str, marks: &MinFree) {
    let (alarm, refuse) = (marks.alarm.bytes(), marks.refuse.bytes());
    if alarm > 0 && alarm < refuse {
        let remedy = "make it at least min_free.refuse, or 0 for no alarm";
        check.problem(&format!("{key}.alarm"), "below min_free.refuse", remedy);
    }
}

/// An https URL, or http to loopback.
pub(super) fn web_url(check: &mut Check<'_>, key: &str, text: &str) {
    let Ok(url) = url::Url::parse(text) else {
        check.problem(
            key,
            "not a URL",
            "write it as in \"https://siem.example.com/in\"",
        );
        return;
    };
    if !url.username().is_empty() || url.password().is_some() {
        check.problem(
            key,
            "has a credential in it",
            "use secret_file or secret_env",
        );
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        check.problem(key, "not https", "use https; http is for loopback only");
    }
}

pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn grants(check: &mut Check<'_>) {
    let grants = &check.config.grants;
    let (max, default, glass) = (
        grants.max_ttl,
        grants.default_ttl,
        grants.break_glass_max_ttl,
    );
    if default > max {
        let remedy = "make it at most grants.max_ttl";
        check.problem("grants.default_ttl", "longer than max_ttl", remedy);
    }
    if glass > max {
        let remedy = "break-glass is shorter than other access: make it at most grants.max_ttl";
        check.problem("grants.break_glass_max_ttl", "longer than max_ttl", remedy);
    }
}

fn issuers(check: &mut Check<'_>) {
    let issuers = &check.config.issuers;
    let names: Vec<_> = issuers.iter().map(|issuer| &issuer.issuer).collect();
    check.unique("issuers", "issuer", &names);
    for (n, issuer) in issuers.iter().enumerate() {
        issuer_fits(check, &format!("issuers[{n}]"), issuer);
    }
}

fn issuer_fits(check: &mut Check<'_>, key: &str, issuer: &Issuer) {
    for (name, is_empty) in [
        ("algorithms", issuer.algorithms.is_empty()),
        ("typ", issuer.typ.is_empty()),
        ("apps", issuer.apps.is_empty()),
    ] {
        if is_empty {
            check.problem(&format!("{key}.{name}"), "empty", "name at least one");
        }
    }
    for (n, app) in issuer.apps.iter().enumerate() {
        if check.config.app(app.as_str()).is_none() {
            let known: Vec<_> = check.config.apps.iter().map(|a| a.name.as_str()).collect();
            let remedy = format!("there are: {}", known.join(", "));
            check.problem(&format!("{key}.apps[{n}]"), "no app has this name", remedy);
        }
    }
    if issuer.jwks.contains("://") {
        web_url(check, &format!("{key}.jwks"), &issuer.jwks);
    }
    if issuer.max_stale < issuer.refresh {
        let remedy = "make it at least as long as refresh";
        check.problem(&format!("{key}.max_stale"), "shorter than refresh", remedy);
    }
}
