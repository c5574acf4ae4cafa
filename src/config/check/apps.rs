//! Apps: names that exist, origins that do not overlap, and keys that placement and origin need.

use super::Check;
use crate::config::suggest::nearest;
use crate::config::{App, ClientAuth, Label, Origin, OriginKind, Placement};

/// What is left of a DNS label beside a session id (27 characters), two hyphens and some room.
const ORIGIN_NAME_MAX: usize = 32;

pub(super) fn check(check: &mut Check<'_>) {
    let apps = &check.config.apps;
    if apps.is_empty() {
        check.problem("apps", "empty", "add an [[apps]] with name and upstream");
    }
    let names: Vec<_> = apps.iter().map(|app| &app.name).collect();
    check.unique("apps", "name", &names);
    public_urls(check);
    for (n, app) in apps.iter().enumerate() {
        let key = format!("apps[{n}]");
        upstream_exists(check, &format!("{key}.upstream"), &app.upstream);
        origins(check, &key, app);
        placement(check, &key, app);
        binding(check, &key, app);
    }
}

pub(super) fn upstream_exists(check: &mut Check<'_>, key: &str, name: &Label) {
    let names = || check.config.upstreams.iter().map(|u| u.name.as_str());
    if names().any(|known| known == name.as_str()) {
        return;
    }
    let remedy = match nearest(name.as_str(), names()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!(
            "there are: {}; or add an [[upstreams]] of this name",
            names().collect::<Vec<_>>().join(", ")
        ),
    };
    check.problem(key, "no upstream has this name", remedy);
}

fn origins(check: &mut Check<'_>, key: &str, app: &App) {
    let names: Vec<_> = app.origins.iter().map(|o| &o.name).collect();
    check.unique(&format!("{key}.origins"), "name", &names);
    for (n, origin) in app.origins.iter().enumerate() {
        let at = format!("{key}.origins[{n}]");
        if let Some(upstream) = &origin.upstream {
            upstream_exists(check, &format!("{at}.upstream"), upstream);
        }
        if origin.name.as_str().len() > ORIGIN_NAME_MAX {
            let remedy = "it shares a DNS label with the session's id: use at most 32 characters";
            check.problem(&format!("{at}.name"), "too long", remedy);
        }
    }
    if app.public_url.is_none() && !app.origins.is_empty() {
        let remedy = "set the app's own public_url too: origins are mapped as a set";
        check.problem(
            &format!("{key}.public_url"),
            "missing beside origins",
            remedy,
        );
    }
    if app.rewrite_origins && app.public_url.is_none() {
        let remedy = "set public_url: there is nothing to replace without it";
        check.problem(&format!("{key}.rewrite_origins"), "has no effect", remedy);
    }
}

/// No two apps may claim one origin, and none may lie where sessions do.
fn public_urls(check: &mut Check<'_>) {
    let mut all: Vec<(String, &Origin)> = Vec::new();
    for (n, app) in check.config.apps.iter().enumerate() {
        let own = app
            .public_url
            .iter()
            .map(|url| (format!("apps[{n}].public_url"), url));
        let more = app.origins.iter().enumerate();
        let more = more.map(|(m, o)| (format!("apps[{n}].origins[{m}].public_url"), &o.public_url));
        all.extend(own.chain(more));
    }
    for (n, (key, url)) in all.iter().enumerate() {
        if let Some((first, _)) = all.iter().take(n).find(|(_, other)| other == url) {
            let message = format!("{first} has it already");
            check.problem(key, message, "an origin belongs to one app: choose another");
        }
        let sessions = check.config.apps.iter().find(|app| {
            let domain = check.config.app_domain(app.name.as_str());
            url.host()
                .strip_suffix(&domain)
                .is_some_and(|rest| rest.ends_with('.'))
        });
        if let Some(app) = sessions {
            let message = format!(
                "lies among the session origins of the app {:?}",
                app.name.as_str()
            );
            check.problem(key, message, "choose another suffix or app name");
        }
    }
}

fn placement(check: &mut Check<'_>, key: &str, app: &App) {
    if app.public_url.is_some() {
        return;
    }
    let remedy = "set public_url to the origin that customers use";
    if app.placement == Placement::Inline {
        let message = "missing: inline placement tells the app's traffic by its host";
        check.problem(&format!("{key}.public_url"), message, remedy);
    } else if app.origin == OriginKind::Shared {
        let message = "missing: with a shared origin sessions live on the app's own host";
        check.problem(&format!("{key}.public_url"), message, remedy);
    }
}

fn binding(check: &mut Check<'_>, key: &str, app: &App) {
    let tls = check.config.listeners.apps.tls.as_ref();
    let asks = tls.is_some_and(|tls| tls.client_auth != ClientAuth::Off);
    if app.binding.certificate && !asks {
        check.problem(
            &format!("{key}.binding.certificate"),
            "clients are not asked for a certificate",
            "set listeners.apps.tls.client_auth to \"optional\" or \"required\", and client_ca",
        );
    }
    for name in ["network_prefix_v4", "network_prefix_v6"] {
        let at = format!("{key}.binding.{name}");
        if !app.binding.network && check.is_written(&at) {
            check.problem(
                &at,
                "has no effect without network = true",
                "set it, or remove this",
            );
        }
    }
}
