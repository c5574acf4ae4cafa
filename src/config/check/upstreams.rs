//! Upstreams: addresses and TLS that fit, and the identity keys that the mode takes.

use super::Check;
use crate::config::{Address, Identity, IdentityMode, Protocol, Upstream};

/// What may stand between braces in identity fields.
const PLACEHOLDERS: &[&str] = &[
    "subject.id",
    "subject.name",
    "operator.id",
    "operator.name",
    "tenant.id",
    "tenant.name",
    "session",
    "grant",
    "ticket",
    "scopes",
];

pub(super) fn check(check: &mut Check<'_>) {
    let upstreams = &check.config.upstreams;
    if upstreams.is_empty() {
        check.problem(
            "upstreams",
            "empty",
            "add an [[upstreams]] with name and addresses",
        );
    }
    let names: Vec<_> = upstreams.iter().map(|u| &u.name).collect();
    check.unique("upstreams", "name", &names);
    for (n, upstream) in upstreams.iter().enumerate() {
        let key = format!("upstreams[{n}]");
        reach(check, &key, upstream);
        identity(check, &key, &upstream.identity);
    }
}

fn reach(check: &mut Check<'_>, key: &str, upstream: &Upstream) {
    if upstream.addresses.is_empty() {
        let remedy = "write at least one, as in [\"127.0.0.1:3000\"]";
        check.problem(&format!("{key}.addresses"), "empty", remedy);
    }
    let tls = &upstream.tls;
    if check.is_written(&format!("{key}.tls")) && !upstream.addresses.iter().any(Address::is_tls) {
        check.problem(
            &format!("{key}.tls"),
            "has no effect: no address begins with https://",
            "write https:// before the addresses, or remove it",
        );
    }
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        check.problem(
            &format!("{key}.tls.client_cert"),
            "a certificate and its key go together",
            "set both client_cert and client_key, or neither",
        );
    }
    let has_unix = upstream
        .addresses
        .iter()
        .any(|a| matches!(a, Address::Unix(_)));
    if upstream.protocol == Protocol::H2 && has_unix && upstream.addresses.len() > 1 {
        check.problem(
            &format!("{key}.addresses"),
            "Unix sockets and other addresses in one HTTP/2 upstream",
            "use one kind of address, or protocol = \"auto\"",
        );
    }
}

fn identity(check: &mut Check<'_>, key: &str, identity: &Identity) {
    use IdentityMode::{Assertion, Basic, Bearer, Exchange, Headers, Mint};
    let mode = identity.mode;
    let takes: &[(&str, &[IdentityMode])] = &[
        ("header", &[Assertion, Mint, Bearer]),
        ("audience", &[Assertion, Mint, Exchange]),
        ("lifetime", &[Assertion, Mint, Exchange]),
        ("algorithm", &[Assertion, Mint, Exchange]),
        ("headers", &[Headers]),
        ("mint_path", &[Mint]),
        ("exchange", &[Exchange]),
        ("username", &[Basic]),
        ("secret_file", &[Basic, Bearer]),
        ("secret_env", &[Basic, Bearer]),
    ];
    for (name, modes) in takes {
        let at = format!("{key}.identity.{name}");
        if !modes.contains(&mode) && check.is_written(&at) {
            let words: Vec<_> = modes.iter().map(|m| m.as_str()).collect();
            let message = format!("has no effect in mode {:?}", mode.as_str());
            check.problem(
                &at,
                message,
                format!("remove it, or set mode to {}", words.join(" or ")),
            );
        }
    }
    let needs: &[(&str, bool)] = match mode {
        Headers => &[("headers", !identity.headers.is_empty())],
        Mint => &[("mint_path", identity.mint_path.is_some())],
        Exchange => &[("exchange", identity.exchange.is_some())],
        Basic => &[("username", identity.username.is_some())],
        _ => &[],
    };
    for (name, is_there) in needs {
        if !is_there {
            let message = format!("missing: mode {:?} needs it", mode.as_str());
            check.problem(&format!("{key}.identity.{name}"), message, "add it");
        }
    }
    if matches!(mode, Basic | Bearer)
        && identity.secret_file.is_some() == identity.secret_env.is_some()
    {
        check.problem(
            &format!("{key}.identity.secret_file"),
            format!("mode {:?} takes one secret", mode.as_str()),
            "set exactly one of secret_file and secret_env",
        );
    }
    endpoints(check, key, identity);
    placeholders(check, key, identity);
}

/// Secrets and tokens go there: only over TLS, or to this machine.
fn endpoints(check: &mut Check<'_>, key: &str, identity: &Identity) {
    let Some(exchange) = &identity.exchange else {
        return;
    };
    let all = [
        ("token_endpoint", Some(&exchange.token_endpoint)),
        ("revocation_endpoint", exchange.revocation_endpoint.as_ref()),
    ];
    for (name, url) in all {
        if url.is_some_and(|url| !is_confidential(url)) {
            check.problem(
                &format!("{key}.identity.exchange.{name}"),
                "neither https nor http on loopback",
                "write it as in \"https://login.example.com/token\"",
            );
        }
    }
}

fn is_confidential(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(url::Host::Domain(name))) => name == "localhost",
        ("http", Some(url::Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(url::Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

fn placeholders(check: &mut Check<'_>, key: &str, identity: &Identity) {
    for (name, template) in &identity.headers {
        let at = format!("{key}.identity.headers.{name}");
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            check.problem(&at, "not a header name", "use letters, digits and hyphens");
        }
        template_is_good(check, &at, template);
    }
    if let Some(username) = &identity.username {
        template_is_good(check, &format!("{key}.identity.username"), username);
    }
}

fn template_is_good(check: &mut Check<'_>, at: &str, template: &str) {
    for part in template.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or("");
        if !part.contains('}') || !PLACEHOLDERS.contains(&name) {
            let message = format!("{:?} is no placeholder", format!("{{{name}}}"));
            let known: Vec<_> = PLACEHOLDERS.iter().map(|p| format!("{{{p}}}")).collect();
            check.problem(at, message, format!("use {}", known.join(", ")));
        }
    }
}
