//! Recording: its keys and its rules of retention.

use super::Check;
use crate::config::RecordingKey;

pub(super) fn check(check: &mut Check<'_>) {
    let keys = &check.config.recording.keys;
    let ids: Vec<_> = keys.iter().map(|key| &key.id).collect();
    check.unique("recording.keys", "id", &ids);
    for (n, key) in keys.iter().enumerate() {
        key_fits(check, &format!("recording.keys[{n}]"), key);
    }
    for (n, rule) in check.config.recording.retention.iter().enumerate() {
        let is_for_all = rule.tenant.is_none() && rule.tier.is_none();
        if is_for_all {
            let at = format!("recording.retention[{n}]");
            let remedy = "name a tenant or a tier; recording.keep is for all others";
            check.problem(&at, "is for everything", remedy);
        }
    }
}

fn key_fits(check: &mut Check<'_>, at: &str, key: &RecordingKey) {
    let places = [key.file.is_some(), key.env.is_some(), key.kms_url.is_some()];
    if places.iter().filter(|is_set| **is_set).count() != 1 {
        let remedy = "set one of file, env and kms_url";
        check.problem(at, "not one place for the key", remedy);
    }
    if key.kms_secret_file.is_some() && key.kms_secret_env.is_some() {
        let remedy = "set one of kms_secret_file and kms_secret_env";
        check.problem(&format!("{at}.kms_secret_file"), "two secrets", remedy);
    }
    let Some(url) = &key.kms_url else { return };
    let parsed = url::Url::parse(url).ok();
    let is_near = |url: &url::Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let is_safe = parsed
        .is_some_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_near(&url)));
    if !is_safe {
        let remedy = "write an https:// URL (http:// to this machine alone)";
        check.problem(&format!("{at}.kms_url"), "not a safe URL", remedy);
    }
}
