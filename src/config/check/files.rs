//! The files that the configuration names must be there and be what they should.

use super::Check;
use crate::config::{Config, Tls};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

const DEV: &str = "run `locum certs dev` to make a set for development, or name the right file";

#[derive(Clone, Copy)]
enum Kind {
    Certificate,
    Key,
    Ca,
    Secret,
    Jwks,
    Policy,
}

pub(super) fn check(check: &mut Check<'_>) {
    for (key, path, kind) in named(check.config) {
        if let Err(message) = look(&path, kind) {
            let remedy = match kind {
                Kind::Certificate | Kind::Key => DEV,
                Kind::Ca => "name a PEM file with the CA's certificate",
                Kind::Secret => "write the secret there, readable by locum's user only",
                Kind::Jwks => "name a JSON file with the issuer's public keys, or an https:// URL",
                Kind::Policy => "name a policy file or directory that locum may read",
            };
            check.problem(&key, message, remedy);
        }
    }
    for (key, variable) in secret_variables(check.config) {
        if std::env::var_os(&variable).is_none_or(|value| value.is_empty()) {
            let message = "this environment variable is not set";
            check.problem(&key, message, format!("set {variable} to the secret"));
        }
    }
}

type Named = (String, std::path::PathBuf, Kind);

fn named(config: &Config) -> Vec<Named> {
    let mut all = Vec::new();
    tls(
        "listeners.apps.tls",
        config.listeners.apps.tls.as_ref(),
        &mut all,
    );
    if config.listeners.portal.enabled {
        tls(
            "listeners.portal.tls",
            config.listeners.portal.tls.as_ref(),
            &mut all,
        );
    }
    let mut add = |key: String, path: Option<&Path>, kind| {
        all.extend(path.map(|path| (key, path.to_owned(), kind)));
    };
    for (n, upstream) in config.upstreams.iter().enumerate() {
        let at = |name: &str| format!("upstreams[{n}].{name}");
        let (tls, identity) = (&upstream.tls, &upstream.identity);
        add(at("tls.ca"), tls.ca.as_deref(), Kind::Ca);
        add(
            at("tls.client_cert"),
            tls.client_cert.as_deref(),
            Kind::Certificate,
        );
        add(at("tls.client_key"), tls.client_key.as_deref(), Kind::Key);
        add(
            at("identity.secret_file"),
            identity.secret_file.as_deref(),
            Kind::Secret,
        );
    }
    for (n, sink) in config.audit.sinks.iter().enumerate() {
        let at = |name: &str| format!("audit.sinks[{n}].{name}");
        add(at("ca"), sink.ca.as_deref(), Kind::Ca);
        add(at("secret_file"), sink.secret_file.as_deref(), Kind::Secret);
        let certificate = sink.client_cert.as_deref();
        add(at("client_cert"), certificate, Kind::Certificate);
        add(at("client_key"), sink.client_key.as_deref(), Kind::Key);
        let key = sink.pseudonym_key_file.as_deref();
        add(at("pseudonym_key_file"), key, Kind::Secret);
    }
    for (n, key) in config.recording.keys.iter().enumerate() {
        let at = |name: &str| format!("recording.keys[{n}].{name}");
        add(at("file"), key.file.as_deref(), Kind::Secret);
        let secret = key.kms_secret_file.as_deref();
        add(at("kms_secret_file"), secret, Kind::Secret);
        add(at("kms_ca"), key.kms_ca.as_deref(), Kind::Ca);
    }
    for (n, issuer) in config.issuers.iter().enumerate() {
        let file = (!issuer.jwks.contains("://")).then(|| Path::new(&issuer.jwks));
        add(format!("issuers[{n}].jwks"), file, Kind::Jwks);
        add(format!("issuers[{n}].ca"), issuer.ca.as_deref(), Kind::Ca);
    }
    identity(config, &mut add);
    outside(config, &mut add);
    for (name, paths) in [
        ("paths", &config.policy.paths),
        ("shadow", &config.policy.shadow),
    ] {
        for (n, path) in paths.iter().enumerate() {
            add(format!("policy.{name}[{n}]"), Some(path), Kind::Policy);
        }
    }
    all.extend(around(config));
    all
}

fn identity(config: &Config, add: &mut impl FnMut(String, Option<&Path>, Kind)) {
    let jwks = |text: &str| (!text.contains("://")).then(|| Path::new(text).to_owned());
    let identity = &config.identity;
    if let Some(oidc) = &identity.oidc {
        let secret = oidc.client_secret_file.as_deref();
        add(
            "identity.oidc.client_secret_file".into(),
            secret,
            Kind::Secret,
        );
        add("identity.oidc.ca".into(), oidc.ca.as_deref(), Kind::Ca);
    }
    if let Some(it) = &identity.assertion {
        let keys = jwks(&it.jwks);
        add(
            "identity.assertion.jwks".into(),
            keys.as_deref(),
            Kind::Jwks,
        );
        add("identity.assertion.ca".into(), it.ca.as_deref(), Kind::Ca);
    }
    for (n, it) in identity.workloads.issuers.iter().enumerate() {
        let key = format!("identity.workloads.issuers[{n}]");
        let keys = jwks(&it.jwks);
        add(format!("{key}.jwks"), keys.as_deref(), Kind::Jwks);
        add(format!("{key}.ca"), it.ca.as_deref(), Kind::Ca);
    }
}

/// Of alert channels, and of transmitters and receivers of security events.
fn outside(config: &Config, add: &mut impl FnMut(String, Option<&Path>, Kind)) {
    for (n, channel) in config.alerts.iter().enumerate() {
        let at = |name: &str| format!("alerts[{n}].{name}");
        add(at("url_file"), channel.url_file.as_deref(), Kind::Secret);
        add(at("ca"), channel.ca.as_deref(), Kind::Ca);
        for (m, path) in channel.secret_files.iter().enumerate() {
            add(at(&format!("secret_files[{m}]")), Some(path), Kind::Secret);
        }
    }
    let mail = &config.consent_mail;
    let password = mail.password_file.as_deref();
    add("consent_mail.password_file".into(), password, Kind::Secret);
    add("consent_mail.ca".into(), mail.ca.as_deref(), Kind::Ca);
    for (n, one) in config.signals.transmitters.iter().enumerate() {
        let at = |name: &str| format!("signals.transmitters[{n}].{name}");
        let file = (!one.jwks.contains("://")).then(|| Path::new(&one.jwks));
        add(at("jwks"), file, Kind::Jwks);
        add(at("ca"), one.ca.as_deref(), Kind::Ca);
        add(at("token_file"), one.token_file.as_deref(), Kind::Secret);
    }
    for (n, one) in config.signals.receivers.iter().enumerate() {
        let at = |name: &str| format!("signals.receivers[{n}].{name}");
        add(at("ca"), one.ca.as_deref(), Kind::Ca);
        add(at("token_file"), one.token_file.as_deref(), Kind::Secret);
    }
}

fn tls(key: &str, tls: Option<&Tls>, all: &mut Vec<Named>) {
    let Some(tls) = tls else { return };
    all.push((format!("{key}.cert"), tls.cert.clone(), Kind::Certificate));
    all.push((format!("{key}.key"), tls.key.clone(), Kind::Key));
    for (n, extra) in tls.extra.iter().enumerate() {
        all.push((
            format!("{key}.extra[{n}].cert"),
            extra.cert.clone(),
            Kind::Certificate,
        ));
        all.push((
            format!("{key}.extra[{n}].key"),
            extra.key.clone(),
            Kind::Key,
        ));
    }
    if let Some(ca) = &tls.client_ca {
        all.push((format!("{key}.client_ca"), ca.clone(), Kind::Ca));
    }
}

fn secret_variables(config: &Config) -> Vec<(String, String)> {
    let upstreams = config.upstreams.iter().enumerate();
    let sinks = config.audit.sinks.iter().enumerate();
    let of_upstreams = upstreams.filter_map(|(n, upstream)| {
        let name = upstream.identity.secret_env.clone()?;
        Some((format!("upstreams[{n}].identity.secret_env"), name))
    });
    let of_sinks = sinks.flat_map(|(n, sink)| {
        let at = move |name: &str| format!("audit.sinks[{n}].{name}");
        let secret = sink.secret_env.clone();
        let key = sink.pseudonym_key_env.clone();
        let secret = secret.map(|name| (at("secret_env"), name));
        let key = key.map(|name| (at("pseudonym_key_env"), name));
        secret.into_iter().chain(key)
    });
    let systems = config.tickets.systems.iter().enumerate();
    let of_systems = systems.flat_map(|(n, system)| {
        let at = format!("tickets.systems[{n}]");
        let hook = system.webhook.as_ref();
        let hook = hook.and_then(|hook| hook.secret_env.clone());
        let own = system.secret_env.clone();
        let own = own.map(|name| (format!("{at}.secret_env"), name));
        own.into_iter()
            .chain(hook.map(|name| (format!("{at}.webhook.secret_env"), name)))
    });
    let of_subjects = config.subjects.secret_env.clone();
    let of_subjects = of_subjects.map(|name| ("subjects.secret_env".to_owned(), name));
    let oidc = config.identity.oidc.as_ref();
    let of_oidc = oidc.and_then(|oidc| {
        let name = oidc.client_secret_env.clone()?;
        Some(("identity.oidc.client_secret_env".to_owned(), name))
    });
    let all = of_upstreams.chain(of_sinks).chain(of_systems);
    all.chain(of_subjects).chain(of_oidc).collect()
}

/// The files of the systems that requests for access lean on.
fn around(config: &Config) -> Vec<Named> {
    let mut all = Vec::new();
    let mut add = |key: String, path: Option<&Path>, kind| {
        all.extend(path.map(|path| (key, path.to_owned(), kind)));
    };
    for (n, system) in config.tickets.systems.iter().enumerate() {
        let at = |name: &str| format!("tickets.systems[{n}].{name}");
        add(at("ca"), system.ca.as_deref(), Kind::Ca);
        let secret = system.secret_file.as_deref();
        add(at("secret_file"), secret, Kind::Secret);
        let hook = system.webhook.as_ref();
        let secret = hook.and_then(|hook| hook.secret_file.as_deref());
        add(at("webhook.secret_file"), secret, Kind::Secret);
    }
    let subjects = &config.subjects;
    let at = |name: &str| format!("subjects.{name}");
    add(at("ca"), subjects.ca.as_deref(), Kind::Ca);
    add(at("file"), subjects.file.as_deref(), Kind::Policy);
    let secret = subjects.secret_file.as_deref();
    add(at("secret_file"), secret, Kind::Secret);
    all
}

/// Whether the file is there and of its kind; else what is wrong.
fn look(path: &Path, kind: Kind) -> Result<(), String> {
    if matches!(kind, Kind::Policy) {
        let there = std::fs::metadata(path).and_then(|meta| {
            let is_dir = meta.is_dir();
            if is_dir {
                std::fs::read_dir(path).map(drop)
            } else {
                std::fs::File::open(path).map(drop)
            }
        });
        return there.map_err(|e| format!("cannot be read: {e}"));
    }
    let bytes = std::fs::read(path).map_err(|e| format!("cannot be read: {e}"))?;
    match kind {
        Kind::Certificate | Kind::Ca => {
            let mut chain = CertificateDer::pem_slice_iter(&bytes).peekable();
            if chain.peek().is_none() || chain.any(|one| one.is_err()) {
                return Err("has no PEM certificate".into());
            }
        }
        Kind::Key => {
            PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| "has no PEM private key")?;
        }
        Kind::Secret => {
            if bytes.trim_ascii().is_empty() {
                return Err("is empty".into());
            }
        }
        Kind::Jwks => {
            let json: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
            if !json.is_ok_and(|value| value.get("keys").is_some_and(serde_json::Value::is_array)) {
                return Err("is not a JSON Web Key Set".into());
            }
        }
        Kind::Policy => {}
    }
    Ok(())
}
