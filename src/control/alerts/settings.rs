//! From the configuration to channels that can send: files read, keys parsed, TLS set up.

use super::channel::{Channel, Way};
use super::mail::Mail;
use super::pagerduty::{self, PagerDuty};
use super::slack::Slack;
use super::webhook::{Key, Webhook};
use crate::config::{AlertChannel, AlertKind, Config};
use crate::control::backoff::Backoff;
use crate::control::outbound::Outbound;
use crate::control::secret_file;
use crate::control::smtp::{self, Server};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What alerts leave by. Made anew at each reload.
#[derive(Debug)]
pub struct Settings {
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) backoff: Backoff,
    pub(super) max_under_way: usize,
    pub(super) test_every: Duration,
}

/// A channel that cannot be used as configured.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError {
    pub channel: String,
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alert channel {}: {}", self.channel, self.problem)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the files that the configuration names (blocking).
    pub fn from_config(config: &Config) -> Result<Self, SettingsError> {
        let portal = config.portal_origin();
        let channels = config.alerts.iter().map(|from| {
            let made = channel(from, &portal).map_err(|problem| SettingsError {
                channel: from.name.to_string(),
                problem,
            })?;
            Ok(Arc::new(made))
        });
        let alerting = &config.alerting;
        Ok(Self {
            channels: channels.collect::<Result<_, SettingsError>>()?,
            backoff: Backoff {
                first: alerting.retry_first,
                longest: alerting.retry_longest,
                give_up: alerting.give_up,
            },
            max_under_way: alerting.max_under_way,
            test_every: alerting.test_every,
        })
    }
}

fn channel(from: &AlertChannel, portal: &str) -> Result<Channel, String> {
    let portal = portal.to_owned();
    let way = match from.kind {
        AlertKind::Webhook => Way::Webhook(Webhook {
            to: outbound(from)?,
            url: url(from)?,
            keys: keys(from)?,
        }),
        AlertKind::Slack => Way::Slack(Slack {
            to: outbound(from)?,
            url: url(from)?,
            portal,
        }),
        AlertKind::Pagerduty => Way::PagerDuty(PagerDuty {
            to: outbound(from)?,
            url: url(from)?,
            routing_key: one_secret(from)?,
            portal,
        }),
        AlertKind::Smtp => Way::Mail(mail(from, portal)?),
    };
    Ok(Channel {
        name: from.name.to_string(),
        only: from.only.clone(),
        timeout: from.timeout,
        way,
    })
}

fn outbound(from: &AlertChannel) -> Result<Outbound, String> {
    Outbound::new(from.ca.as_deref(), from.timeout).map_err(|error| error.to_string())
}

fn url(from: &AlertChannel) -> Result<Url, String> {
    let text = match (&from.url, &from.url_file) {
        (Some(url), _) => url.clone(),
        (None, Some(path)) => secret_file::read(path)?,
        (None, None) if from.kind == AlertKind::Pagerduty => pagerduty::URL.to_owned(),
        (None, None) => return Err("url is missing".to_owned()),
    };
    // The text may be a secret: not even a part of it goes into the error.
    let url = Url::parse(&text).map_err(|_| "its URL is none".to_owned())?;
    if url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url) {
        Ok(url)
    } else {
        Err("its URL is not https".to_owned())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn keys(from: &AlertChannel) -> Result<Vec<Key>, String> {
    let read = |path: &std::path::PathBuf| {
        let text = secret_file::read(path)?;
        Key::parse(&text).map_err(|problem| format!("{} {problem}", path.display()))
    };
    let keys: Vec<Key> = from
        .secret_files
        .iter()
        .map(read)
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("secret_files is empty".to_owned());
    }
    Ok(keys)
}

fn one_secret(from: &AlertChannel) -> Result<String, String> {
    let path = from.secret_files.first();
    secret_file::read(path.ok_or("secret_files is empty")?)
}

fn mail(from: &AlertChannel, portal: String) -> Result<Mail, String> {
    let login = from.username.as_ref().map(|name| {
        let password = one_secret(from)?;
        Ok::<_, String>((name.clone(), password))
    });
    let server = Server {
        at: from.server.as_deref(),
        tls: from.tls,
        ca: from.ca.as_deref(),
        login: login.transpose()?,
        timeout: from.timeout,
    };
    let to = from.to.iter().map(|it| smtp::mailbox(it));
    Ok(Mail {
        by: server.transport()?,
        from: smtp::mailbox(from.from.as_ref().ok_or("from is missing")?)?,
        to: to.collect::<Result<_, _>>()?,
        portal,
    })
}
