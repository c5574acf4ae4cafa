//! Ticket systems, the classes of accounts, change windows.

use super::Check;
use super::rest::web_url;
use crate::config::keys::access::{TicketPreset, TicketSystem, TicketWebhook};
use crate::model::SubjectClass;

pub(super) fn check(check: &mut Check<'_>) {
    let systems = &check.config.tickets.systems;
    let names: Vec<_> = systems.iter().map(|system| &system.name).collect();
    check.unique("tickets.systems", "name", &names);
    for (n, system) in systems.iter().enumerate() {
        system_fits(check, &format!("tickets.systems[{n}]"), system);
    }
    if !systems.is_empty() && check.is_written("tickets.patterns") {
        let remedy = "write `patterns` in the systems, or remove it";
        check.problem(
            "tickets.patterns",
            "has no effect beside tickets.systems",
            remedy,
        );
    }
    subjects(check);
    windows(check);
}

fn system_fits(check: &mut Check<'_>, key: &str, system: &TicketSystem) {
    let at = |name: &str| format!("{key}.{name}");
    url_fits(check, &at("url"), &system.url, &["ticket"]);
    let whole = system.url.contains("{ticket}");
    if system.preset == TicketPreset::Generic && !whole {
        let remedy = "write {ticket} where the ticket's id belongs, as in \"https://desk.example.com/tickets/{ticket}\"";
        check.problem(&at("url"), "has no {ticket}", remedy);
    }
    if system.secret_file.is_some() && system.secret_env.is_some() {
        let remedy = "set one of secret_file and secret_env";
        check.problem(&at("secret_file"), "two secrets", remedy);
    }
    let has_secret = system.secret_file.is_some() || system.secret_env.is_some();
    if system.username.is_some() && !has_secret {
        let remedy = "set secret_file or secret_env to where the password is";
        check.problem(&at("username"), "has no password", remedy);
    }
    if system.username.is_some() && system.auth_header.is_some() {
        let remedy = "HTTP Basic goes into Authorization: remove one of them";
        check.problem(&at("auth_header"), "stands beside username", remedy);
    }
    for (name, place) in [
        ("id", &system.id),
        ("title", &system.title),
        ("state", &system.state),
        ("tenant", &system.tenant),
    ] {
        pointer(check, &at(name), place.as_deref());
    }
    if system.preset == TicketPreset::Jira && system.tenant.is_none() && !system.any_tenant {
        let remedy = "name the field that says whose ticket it is, as in \"/fields/customfield_10050/value\", or set any_tenant = true";
        check.problem(&at("tenant"), "missing", remedy);
    }
    if system.tenant.is_some() && system.any_tenant {
        let remedy = "remove one of tenant and any_tenant";
        check.problem(&at("any_tenant"), "makes tenant useless", remedy);
    }
    if let Some(webhook) = &system.webhook {
        webhook_fits(check, &at("webhook"), webhook);
    }
}

fn webhook_fits(check: &mut Check<'_>, key: &str, webhook: &TicketWebhook) {
    let at = |name: &str| format!("{key}.{name}");
    match (&webhook.secret_file, &webhook.secret_env) {
        (None, None) => {
            let remedy =
                "name the file or the variable with the secret: set secret_file or secret_env";
            check.problem(&at("secret_file"), "missing", remedy);
        }
        (Some(_), Some(_)) => {
            let remedy = "set one of secret_file and secret_env";
            check.problem(&at("secret_file"), "two secrets", remedy);
        }
        _ => {}
    }
    for (name, place) in [
        ("ticket", &webhook.ticket),
        ("state", &webhook.state),
        ("event", &webhook.event),
    ] {
        pointer(check, &at(name), place.as_deref());
    }
}

/// RFC 6901 §3.
fn pointer(check: &mut Check<'_>, key: &str, place: Option<&str>) {
    if place.is_some_and(|place| !place.starts_with('/')) {
        let remedy = "write a JSON pointer, as in \"/fields/summary\"";
        check.problem(key, "not a JSON pointer", remedy);
    }
}

/// A URL whose placeholders are known ones, and stand behind its host.
fn url_fits(check: &mut Check<'_>, key: &str, text: &str, names: &[&str]) {
    let mut plain = text.to_owned();
    for name in names {
        plain = plain.replace(&format!("{{{name}}}"), name);
    }
    if plain.contains(['{', '}']) {
        let known: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
        let remedy = format!("the placeholders here are {}", known.join(" and "));
        check.problem(key, "has another placeholder", remedy);
    }
    let origin = text.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    if origin.contains(['{', '}']) {
        let remedy = "put placeholders into the path or the query only";
        check.problem(key, "its host depends on what is asked for", remedy);
    }
    web_url(check, key, &plain);
}

fn subjects(check: &mut Check<'_>) {
    let subjects = &check.config.subjects;
    if let Some(url) = &subjects.url {
        url_fits(check, "subjects.url", url, &["tenant", "subject"]);
        if !url.contains("{subject}") {
            let remedy = "write {subject}, and {tenant}, where they belong";
            check.problem("subjects.url", "has no {subject}", remedy);
        }
    }
    let has_secret = subjects.secret_file.is_some() || subjects.secret_env.is_some();
    if subjects.secret_file.is_some() && subjects.secret_env.is_some() {
        let remedy = "set one of secret_file and secret_env";
        check.problem("subjects.secret_file", "two secrets", remedy);
    }
    if subjects.username.is_some() && !has_secret {
        let remedy = "set secret_file or secret_env to where the password is";
        check.problem("subjects.username", "has no password", remedy);
    }
    let ending = subjects.file.as_ref().and_then(|file| file.extension());
    if subjects.file.is_some() && !ending.is_some_and(|it| it == "csv" || it == "toml") {
        let remedy = "name a *.csv or a *.toml";
        check.problem("subjects.file", "of a kind that cannot be read", remedy);
    }
    pointer(check, "subjects.class", Some(&subjects.class));
    for (word, class) in &subjects.classes {
        if SubjectClass::named(class).is_none() {
            let known = SubjectClass::ALL.map(SubjectClass::as_str).join(", ");
            let key = format!("subjects.classes.{word}");
            check.problem(&key, "not a class", format!("write one of {known}"));
        }
    }
}

fn windows(check: &mut Check<'_>) {
    for (n, window) in check.config.change_windows.iter().enumerate() {
        let key = format!("change_windows[{n}]");
        if window.to <= window.from {
            let remedy = "make it later than from";
            check.problem(&format!("{key}.to"), "not after from", remedy);
        }
        if let Some(app) = &window.app
            && check.config.app(app.as_str()).is_none()
        {
            let known: Vec<_> = check.config.apps.iter().map(|a| a.name.as_str()).collect();
            let remedy = format!("there are: {}", known.join(", "));
            check.problem(&format!("{key}.app"), "no app has this name", remedy);
        }
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
