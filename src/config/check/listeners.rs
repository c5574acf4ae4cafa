//! Listeners: TLS or an explicit plain, who may be believed, and origins that do not overlap.

use super::Check;
use crate::config::{ClientAuth, ProxyProtocol, Tls};

pub(super) fn check(check: &mut Check<'_>) {
    apps(check);
    portal(check);
    ops(check);
    same_address(check);
}

fn apps(check: &mut Check<'_>) {
    let apps = &check.config.listeners.apps;
    transport(check, "listeners.apps", apps.tls.as_ref(), apps.plain);
    let apps = &check.config.listeners.apps;
    let is_open = apps.plain && apps.tls.is_none() && !apps.address.ip().is_loopback();
    if is_open && apps.trusted_proxies.is_empty() {
        open(check, "listeners.apps");
    }
    if apps.proxy_protocol != ProxyProtocol::Off && apps.trusted_proxies.is_empty() {
        check.problem(
            "listeners.apps.proxy_protocol",
            "anyone could say any address",
            "name the balancer's network in listeners.apps.trusted_proxies",
        );
    }
    if apps.tls.is_some() && check.is_written("listeners.apps.external_scheme") {
        check.problem(
            "listeners.apps.external_scheme",
            "has no effect with tls, where it is always https",
            "remove it",
        );
    }
}

fn portal(check: &mut Check<'_>) {
    let portal = &check.config.listeners.portal;
    if !portal.enabled {
        return;
    }
    transport(check, "listeners.portal", portal.tls.as_ref(), portal.plain);
    let portal = &check.config.listeners.portal;
    let is_open = portal.plain && portal.tls.is_none() && !portal.address.ip().is_loopback();
    if is_open && portal.trusted_proxies.is_empty() {
        open(check, "listeners.portal");
    }
    let host = portal
        .public_url
        .as_ref()
        .map_or("localhost", |url| url.host());
    let mut clash = None;
    for app in &check.config.apps {
        let domain = check.config.app_domain(app.name.as_str());
        let own = app
            .public_url
            .iter()
            .chain(app.origins.iter().map(|o| &o.public_url));
        let is_app_origin = own
            .into_iter()
            .any(|url| portal.public_url.as_ref() == Some(url));
        if host == domain || host.ends_with(&format!(".{domain}")) || is_app_origin {
            clash = Some(app.name.clone());
        }
    }
    if let Some(app) = clash {
        check.problem(
            "listeners.portal.public_url",
            format!(
                "lies on an origin of the app {:?}, whose pages could then act as the portal",
                app.as_str()
            ),
            "give the portal a host of its own",
        );
    }
}

fn ops(check: &mut Check<'_>) {
    let ops = &check.config.listeners.ops;
    if !ops.address.ip().is_loopback() && !ops.expose {
        check.problem(
            "listeners.ops.address",
            "others can reach it, and it asks nobody who they are",
            "listen on loopback, or set listeners.ops.expose = true where the network keeps \
             strangers out",
        );
    }
}

/// Plain HTTP for everybody, and nothing in front that is known to end TLS.
fn open(check: &mut Check<'_>, key: &str) {
    check.problem(
        &format!("{key}.plain"),
        "plain HTTP on an address that others can reach",
        format!(
            "listen on loopback, give it tls, or name the TLS terminator in {key}.trusted_proxies"
        ),
    );
}

/// Exactly one of `tls` and `plain`, and client certificates that fit.
fn transport(check: &mut Check<'_>, key: &str, tls: Option<&Tls>, plain: bool) {
    match (tls, plain) {
        (None, false) => check.problem(
            &format!("{key}.tls"),
            "missing",
            format!(
                "set tls = {{ cert = …, key = … }} (`locum certs dev` makes a set for development), or \
                 {key}.plain = true where something in front terminates TLS"
            ),
        ),
        (Some(_), true) => check.problem(
            &format!("{key}.plain"),
            "contradicts tls",
            "remove one of the two",
        ),
        _ => {}
    }
    let Some(tls) = tls else { return };
    match (&tls.client_ca, tls.client_auth) {
        (None, ClientAuth::Optional | ClientAuth::Required) => check.problem(
            &format!("{key}.tls.client_auth"),
            "there is no CA to check client certificates with",
            format!("set {key}.tls.client_ca"),
        ),
        (Some(_), ClientAuth::Off) => check.problem(
            &format!("{key}.tls.client_ca"),
            "has no effect while client_auth is \"off\"",
            "set client_auth to \"optional\" or \"required\", or remove it",
        ),
        _ => {}
    }
}

fn same_address(check: &mut Check<'_>) {
    let listeners = &check.config.listeners;
    let (apps, ops) = (listeners.apps.address, listeners.ops.address);
    let portal = listeners.portal.enabled.then_some(listeners.portal.address);
    let remedy = "give each listener a port of its own";
    if ops == apps && ops.port() != 0 {
        check.problem("listeners.ops.address", "is the apps listener's", remedy);
    }
    if portal.is_some_and(|it| it.port() != 0 && (it == apps || it == ops)) {
        check.problem("listeners.portal.address", "is another listener's", remedy);
    }
}
