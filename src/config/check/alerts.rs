//! Alert channels, and transmitters and receivers of security events.

use super::Check;
use super::rest::web_url;
use crate::config::{AlertChannel, AlertKind, MailTls, SignalAbout};

/// The alert without which break-glass does not open.
const GLASS: &str = "break-glass.activated";

pub(super) fn check(check: &mut Check<'_>) {
    let channels = &check.config.alerts;
    let names: Vec<_> = channels.iter().map(|channel| &channel.name).collect();
    check.unique("alerts", "name", &names);
    for (n, channel) in channels.iter().enumerate() {
        let key = format!("alerts[{n}]");
        fits_kind(check, &key, channel);
        secrets(check, &key, channel);
        match channel.kind {
            AlertKind::Smtp => mail(check, &key, channel),
            _ => url(check, &key, channel),
        }
        for (m, only) in channel.only.iter().enumerate() {
            if only.is_empty() || only.trim_end_matches(".*").contains('*') {
                let remedy = "write a kind as in \"review.overdue\", or its beginning as in \"break-glass.*\"";
                check.problem(&format!("{key}.only[{m}]"), "not a kind of alert", remedy);
            }
        }
    }
    let alerting = &check.config.alerting;
    if alerting.retry_longest < alerting.retry_first {
        let remedy = "make it at least alerting.retry_first";
        check.problem("alerting.retry_longest", "shorter than retry_first", remedy);
    }
    break_glass(check);
    consent_mail(check);
    signals(check);
}

/// What would never open, or never leave.
fn break_glass(check: &mut Check<'_>) {
    let config = check.config;
    if !config.alerts.is_empty() && !config.listeners.portal.enabled {
        let remedy = "set listeners.portal.enabled = true: what raises alerts runs with it";
        check.problem("alerts", "nothing raises them", remedy);
    }
    let glass = &config.break_glass;
    let heard = config.alerts.iter().any(|it| it.is_for(GLASS));
    if glass.enabled && !glass.open_unalerted && !heard {
        let remedy = "add [[alerts]] for break-glass.activated: without a channel that takes its alert it never opens";
        check.problem("break_glass.enabled", "nobody would hear of it", remedy);
    }
}

/// Keys that have a meaning for other kinds only.
fn fits_kind(check: &mut Check<'_>, key: &str, channel: &AlertChannel) {
    let is_mail = channel.kind == AlertKind::Smtp;
    let foreign: &[&str] = if is_mail {
        &["url", "url_file"]
    } else {
        &["server", "tls", "username", "from", "to"]
    };
    for name in foreign {
        let at = format!("{key}.{name}");
        if check.is_written(&at) {
            let message = format!(
                "has no effect on a channel of kind {:?}",
                channel.kind.as_str()
            );
            check.problem(&at, message, "remove it");
        }
    }
}

fn secrets(check: &mut Check<'_>, key: &str, channel: &AlertChannel) {
    let wanted = match (channel.kind, &channel.username) {
        (AlertKind::Webhook, _) => 1..=2,
        (AlertKind::Pagerduty, _) | (AlertKind::Smtp, Some(_)) => 1..=1,
        (AlertKind::Slack, _) | (AlertKind::Smtp, None) => 0..=0,
    };
    if wanted.contains(&channel.secret_files.len()) {
        return;
    }
    let remedy = match channel.kind {
        AlertKind::Webhook => "name a file with the whsec_ key; two while the key is rotated",
        AlertKind::Slack => "remove it: its secret is its URL, in url_file",
        AlertKind::Pagerduty => "name one file with the routing key",
        AlertKind::Smtp if channel.username.is_some() => "name one file with the password",
        AlertKind::Smtp => "remove it, or set username",
    };
    check.problem(
        &format!("{key}.secret_files"),
        "not as many as this kind needs",
        remedy,
    );
}

fn url(check: &mut Check<'_>, key: &str, channel: &AlertChannel) {
    let at = format!("{key}.url");
    match (&channel.url, &channel.url_file) {
        (Some(_), Some(_)) => check.problem(&at, "two URLs", "set one of url and url_file"),
        (Some(url), None) => web_url(check, &at, url),
        (None, None) if channel.kind != AlertKind::Pagerduty => {
            check.problem(&at, "missing", "set url or url_file");
        }
        (None, _) => {}
    }
}

fn mail(check: &mut Check<'_>, key: &str, channel: &AlertChannel) {
    for (name, is_missing) in [
        ("server", channel.server.is_none()),
        ("from", channel.from.is_none()),
        ("to", channel.to.is_empty()),
    ] {
        if is_missing {
            check.problem(&format!("{key}.{name}"), "missing", "a mail needs it");
        }
    }
    let addresses = channel.from.iter().map(|it| ("from".to_owned(), it));
    let recipients = channel.to.iter().enumerate();
    let recipients = recipients.map(|(n, it)| (format!("to[{n}]"), it));
    for (name, address) in addresses.chain(recipients) {
        if !address.contains('@') {
            let remedy = "write it as in \"soc@example.com\"";
            check.problem(&format!("{key}.{name}"), "not a mail address", remedy);
        }
    }
    server(check, key, channel.server.as_deref(), channel.tls);
}

/// How mail leaves: to a server with a port, and never readable over a network.
fn server(check: &mut Check<'_>, key: &str, server: Option<&str>, tls: MailTls) {
    let Some(server) = server else {
        return;
    };
    let at = format!("{key}.server");
    let Some((host, port)) = server.rsplit_once(':') else {
        check.problem(&at, "a port is missing", "write host:port");
        return;
    };
    if host.is_empty() || port.parse::<u16>().is_err() {
        check.problem(&at, "not a server", "write host:port");
    }
    let host = host.trim_matches(['[', ']']);
    let is_local = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if tls == MailTls::None && !is_local {
        let remedy = "use starttls or implicit; none is for loopback only";
        check.problem(&format!("{key}.tls"), "mail would be readable", remedy);
    }
}

/// The mails that ask customers for their consent.
fn consent_mail(check: &mut Check<'_>) {
    let (mail, tenants) = (&check.config.consent_mail, &check.config.tenants);
    let contacts = tenants.iter().enumerate();
    let contacts = contacts.filter_map(|(n, it)| Some((n, it.contact.as_ref()?)));
    for (n, contact) in contacts {
        let key = format!("tenants[{n}].contact");
        if !is_address(contact) {
            let remedy = "write one address, as in \"privacy@acme.example\"";
            check.problem(&key, "not a mail address", remedy);
        }
        if mail.server.is_none() {
            let remedy = "set consent_mail.server and consent_mail.from, or remove the contact";
            check.problem(&key, "nothing carries mail to it", remedy);
        }
    }
    server(check, "consent_mail", mail.server.as_deref(), mail.tls);
    match &mail.from {
        Some(from) if !from.contains('@') => {
            let remedy = "write it as in \"Support access <access@example.com>\"";
            check.problem("consent_mail.from", "not a mail address", remedy);
        }
        None if mail.server.is_some() => {
            check.problem("consent_mail.from", "missing", "a mail needs it");
        }
        _ => {}
    }
    if mail.username.is_some() != mail.password_file.is_some() {
        let remedy = "set both consent_mail.username and consent_mail.password_file, or neither";
        check.problem(
            "consent_mail.password_file",
            "one without the other",
            remedy,
        );
    }
}

/// One bare address: what else a mailbox may hold has no place where a secret goes.
fn is_address(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || ",;<>()[]\\\"".contains(c);
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(is_odd)
    })
}

fn signals(check: &mut Check<'_>) {
    let signals = &check.config.signals;
    let issuers: Vec<_> = signals.transmitters.iter().map(|it| &it.issuer).collect();
    check.unique("signals.transmitters", "issuer", &issuers);
    for (n, one) in signals.transmitters.iter().enumerate() {
        let key = format!("signals.transmitters[{n}]");
        if one.algorithms.is_empty() {
            check.problem(&format!("{key}.algorithms"), "empty", "name at least one");
        }
        if one.jwks.contains("://") {
            web_url(check, &format!("{key}.jwks"), &one.jwks);
        }
        if one.about == SignalAbout::Operators && !one.tenants.is_empty() {
            let remedy = "remove it: operators are of no tenant";
            check.problem(&format!("{key}.tenants"), "has no effect here", remedy);
        }
        if one.max_stale < one.refresh {
            let remedy = "make it at least as long as refresh";
            check.problem(&format!("{key}.max_stale"), "shorter than refresh", remedy);
        }
    }
    let names: Vec<_> = signals.receivers.iter().map(|it| &it.name).collect();
    check.unique("signals.receivers", "name", &names);
    for (n, one) in signals.receivers.iter().enumerate() {
        let key = format!("signals.receivers[{n}]");
        web_url(check, &format!("{key}.url"), &one.url);
        for (m, app) in one.apps.iter().enumerate() {
            if check.config.app(app.as_str()).is_none() {
                let known: Vec<_> = check.config.apps.iter().map(|a| a.name.as_str()).collect();
                let remedy = format!("there are: {}", known.join(", "));
                check.problem(&format!("{key}.apps[{m}]"), "no app has this name", remedy);
            }
        }
    }
    let is_used = !signals.transmitters.is_empty() || !signals.receivers.is_empty();
    if is_used && !check.config.listeners.portal.enabled {
        let remedy =
            "set listeners.portal.enabled = true: events are heard there, and told with it";
        check.problem("signals", "nothing hears or tells them", remedy);
    }
    if signals.retry_longest < signals.retry_first {
        let remedy = "make it at least signals.retry_first";
        check.problem("signals.retry_longest", "shorter than retry_first", remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Files, parse};
    use std::path::Path;

    const PORTAL: &str = "[listeners.portal]\nenabled = true\nplain = true\n";

    /// Every problem of the smallest configuration with these keys, as it is shown.
    fn problems(more: &str) -> String {
        let smallest = include_str!("../../../tests/data/smallest.toml");
        let text = format!("{smallest}\n{more}");
        let parsed = parse(Path::new("locum.toml"), &text, [], Files::Ignore);
        parsed.err().map_or_else(String::new, |all| all.to_string())
    }

    #[test]
    fn good_channels_and_signals_have_no_problems() {
        let more = r#"
[break_glass]
enabled = true
[[alerts]]
name = "siem"
kind = "webhook"
url = "https://siem.example.com/in"
secret_files = ["new", "old"]
[[alerts]]
name = "chat"
kind = "slack"
url_file = "slack-url"
only = ["break-glass.*", "review.overdue"]
[[alerts]]
name = "duty"
kind = "pagerduty"
secret_files = ["routing-key"]
[[alerts]]
name = "mail"
kind = "smtp"
server = "mail.example.com:587"
username = "locum"
secret_files = ["password"]
from = "Locum <locum@example.com>"
to = ["soc@example.com"]
[[signals.transmitters]]
issuer = "https://idp.example.com"
audience = "https://locum.example.com"
jwks = "https://idp.example.com/jwks"
about = "operators"
[[signals.receivers]]
name = "shop"
url = "https://shop.example.com/events"
audience = "https://shop.example.com"
apps = ["shop"]
"#;
        assert_eq!(problems(&format!("{PORTAL}{more}")), "");
    }

    /// Each text has a problem with these words.
    #[track_caller]
    fn each(cases: &[(String, &str)]) {
        for (text, part) in cases {
            let found = problems(text);
            assert!(found.contains(part), "{part:?} in {found:?} of\n{text}");
        }
    }

    fn alert(keys: &str) -> String {
        format!("{PORTAL}[[alerts]]\nname = 'a'\n{keys}")
    }

    #[test]
    fn a_receiver_that_cannot_be_called_is_named() {
        let hook = |keys: &str| alert(&format!("kind = 'webhook'\n{keys}"));
        let slack = |keys: &str| alert(&format!("kind = 'slack'\nurl = 'https://a'\n{keys}"));
        let keyed = |keys: &str| hook(&format!("secret_files = ['k']\n{keys}"));
        each(&[
            (keyed(""), "alerts[0].url"),
            (keyed("url = 'http://siem.example/'"), "not https"),
            (keyed("url = 'https://u:p@a/'"), "has a credential in it"),
            (keyed("url = 'https://a'\nurl_file = 'f'"), "two URLs"),
            (hook("url = 'https://a'"), "not as many as this kind needs"),
            (
                hook("url = 'https://a'\nsecret_files = ['1', '2', '3']"),
                "not as many",
            ),
            (slack("secret_files = ['1']"), "in url_file"),
            (slack("server = 'x:1'"), "has no effect"),
            (slack("only = ['b*k']"), "not a kind of alert"),
            (slack("").replace(PORTAL, ""), "nothing raises them"),
        ]);
    }

    #[test]
    fn a_mail_that_cannot_be_sent_is_named() {
        let mail = |server: &str, keys: &str| {
            alert(&format!("kind = 'smtp'\nserver = '{server}'\n{keys}"))
        };
        let (from, to) = ("from = 'a@b'\n", "to = ['c@d']\n");
        let whole = format!("{from}{to}");
        each(&[
            (
                mail("mail.example:25", &format!("{whole}tls = 'none'")),
                "mail would be readable",
            ),
            (mail("localhost", &whole), "a port is missing"),
            (
                mail("localhost:25", &format!("from = 'a'\n{to}")),
                "not a mail address",
            ),
            (mail("localhost:25", from), "alerts[0].to"),
        ]);
    }

    #[test]
    fn what_would_never_open_or_never_be_heard_is_named() {
        let glass = "[break_glass]\nenabled = true\n";
        let elsewhere = "kind = 'slack'\nurl = 'https://a'\nonly = ['review.*']\n";
        let hears = |keys: &str| {
            format!(
                "[[signals.transmitters]]\nissuer = 'i'\naudience = 'a'\nabout = 'operators'\n{keys}"
            )
        };
        let tells = "[[signals.receivers]]\nname = 'r'\nurl = 'https://a'\naudience = 'a'\n";
        each(&[
            (format!("{PORTAL}{glass}"), "nobody would hear of it"),
            (alert(elsewhere) + glass, "nobody would hear of it"),
            (
                PORTAL.to_owned() + &hears("jwks = 'http://idp.example/jwks'"),
                "not https",
            ),
            (
                PORTAL.to_owned() + &hears("jwks = 'f'\ntenants = ['acme']"),
                "operators are of no tenant",
            ),
            (hears("jwks = 'f'"), "nothing hears or tells them"),
            (
                format!("{PORTAL}{tells}apps = ['nope']"),
                "no app has this name",
            ),
        ]);
    }
}
