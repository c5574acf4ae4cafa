//! The configuration: TOML text and environment in, a checked [`Config`] or every problem out.
//!
//! `keys` declares each key once (type, default, bounds, unit, meaning). From it come the structs, the
//! refusal of unknown keys, the environment overrides and `docs/configuration.md`.

mod check;
mod document;
pub mod documentation;
mod environment;
mod keys;
mod measured;
mod moment;
mod net;
mod problem;
mod recover;
mod schema;
mod setting;
mod suggest;
mod units;
mod written;

pub use keys::access::{
    ChangeWindow, HookSignature, Subjects, TicketPreset, TicketSystem, TicketWebhook, Tickets,
    UnknownSubject,
};
pub use keys::alerts::{
    AlertChannel, AlertKind, Alerting, MailTls, SignalAbout, SignalReceiver, SignalTransmitter,
    Signals, is_for as is_for_alert,
};
pub use keys::api::Api;
pub use keys::apps::{App, AppOrigin, Banner, Binding, Cache, OriginKind, Placement};
pub use keys::audit::{Audit, Digests, Durability, Log, LogFormat, MinFree};
pub use keys::audit_log::{AuditLog, Witness};
pub use keys::control::{Access, BreakGlass, ConsentMail, Tenant};
pub use keys::grants::{Grants, Issuer, JwtAlgorithm, Keys, Store};
pub use keys::identity::{
    Assertion, Oidc, Persona, RoleName, RoleRow, SignIn, WorkloadIssuer, Workloads,
};
pub use keys::limits::Limits;
pub use keys::listeners::{
    AppsListener, Certificate, ClientAuth, Listeners, OpsListener, PortalListener, ProxyProtocol,
    Scheme, Tls, TlsVersion,
};
pub use keys::recording::{
    OnOverrun, RecordWhat, Recording, RecordingKey, RecordingTier, Retention, RetentionTier,
};
pub use keys::replay::{Export, Replay};
pub use keys::root::{Config, Policy};
pub use keys::search::Index;
pub use keys::sinks::{BodyFormat, LockMode, MessageFormat, OnLag, OtlpProtocol, Sink, SinkKind};
pub use keys::upstreams::{
    Algorithm, EndpointAuth, Exchange, Health, Identity, IdentityMode, Logout, LogoutMethod, Pool,
    Protocol, Upstream, UpstreamTls,
};
pub use moment::{Moment, Zone};
pub use net::{Address, Cidr, DnsName, HeaderName, HostHeader, Label, Origin, UrlPath};
pub use problem::{Place, Problem, Problems};
pub use units::Size;
pub use written::Written;

use problem::Found;
use schema::Section as _;
use std::path::{Path, PathBuf};

/// Whether the files that the configuration names are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    Check,
    Ignore,
}

impl Config {
    /// Reads and checks the file at `path`. `environment` overrides its keys: see [`environment`] for
    /// the process's own. The files that it names (certificates, secrets, policy) must be readable.
    ///
    /// # Errors
    /// Every problem there is, in the order of the file.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        Self::load_written(path, environment).map(|(config, _)| config)
    }

    /// As [`Config::load`], with each key that is written in the same text.
    ///
    /// # Errors
    /// Every problem there is, in the order of the file.
    pub fn load_written(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Written), Problems> {
        Self::read(path, environment, Files::Check)
    }

    /// As [`Config::load`], but the files that it names need not be there yet.
    pub fn load_without_files(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        Self::read(path, environment, Files::Ignore).map(|(config, _)| config)
    }

    fn read(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        files: Files,
    ) -> Result<(Self, Written), Problems> {
        let text = std::fs::read_to_string(path).map_err(|e| Problems::unreadable(path, e))?;
        parse(path, &text, environment, files)
    }

    /// The database of grants and sessions.
    pub fn database(&self) -> PathBuf {
        self.state_dir.join("locum.db")
    }

    /// The journal's directory.
    pub fn journal_dir(&self) -> PathBuf {
        let dir = self.audit.dir.clone();
        dir.unwrap_or_else(|| self.state_dir.join("journal"))
    }

    /// The files of the log's keys; the flag says whether it is the one that is made where it is missing.
    pub fn log_keys(&self) -> (Vec<PathBuf>, bool) {
        let keys = &self.audit.log.keys;
        if keys.is_empty() {
            (vec![self.state_dir.join("log.key")], true)
        } else {
            (keys.clone(), false)
        }
    }

    /// What the log is called where neither the configuration nor its checkpoints say it.
    pub fn log_origin(&self) -> String {
        let portal = self.portal_origin();
        let host = portal
            .split_once("://")
            .map_or(portal.as_str(), |(_, host)| host);
        format!("{}/log", host.trim_end_matches('/'))
    }

    /// The directory of recordings.
    pub fn recording_dir(&self) -> PathBuf {
        let dir = self.recording.dir.clone();
        dir.unwrap_or_else(|| self.state_dir.join("recordings"))
    }

    /// The directory of the signing keys.
    pub fn keys_dir(&self) -> PathBuf {
        let dir = self.keys.dir.clone();
        dir.unwrap_or_else(|| self.state_dir.join("keys"))
    }

    /// The portal's name, as browsers have it.
    pub fn portal_host(&self) -> &str {
        let url = self.listeners.portal.public_url.as_ref();
        url.map_or("localhost", Origin::host)
    }

    /// The name that replays live under; `None` where the portal has no name but an address.
    pub fn replay_host(&self) -> Option<String> {
        if let Some(host) = &self.replay.host {
            return Some(host.to_string());
        }
        let portal = self.portal_host();
        let is_address = portal.starts_with('[') || portal.parse::<std::net::IpAddr>().is_ok();
        (!is_address).then(|| format!("replay.{portal}"))
    }

    /// The app of this name.
    pub fn app(&self, name: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.name.as_str() == name)
    }

    /// The upstream of this name.
    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        self.upstreams.iter().find(|it| it.name.as_str() == name)
    }

    /// The host that sessions of `app` live under: `<app>.<suffix>`.
    pub fn app_domain(&self, app: &str) -> String {
        format!("{app}.{}", self.suffix)
    }

    /// What browsers are given as a session's origin: `https://<session>.<app>.<suffix>`, with the port
    /// where it is not the scheme's own; the app's own where that is shared.
    pub fn session_origin(&self, session: &str, app: &str) -> String {
        let shared = self.app(app).filter(|it| it.origin == OriginKind::Shared);
        if let Some(url) = shared.and_then(|it| it.public_url.as_ref()) {
            return url.as_str().to_owned();
        }
        let (scheme, port) = self.listeners.apps.external();
        let host = format!("{session}.{}", self.app_domain(app));
        match (scheme, port) {
            (Scheme::Https, 443) | (Scheme::Http, 80) => format!("{}://{host}", scheme.as_str()),
            _ => format!("{}://{host}:{port}", scheme.as_str()),
        }
    }

    /// The portal's origin.
    pub fn portal_origin(&self) -> String {
        let portal = &self.listeners.portal;
        match &portal.public_url {
            Some(url) => url.as_str().to_owned(),
            None if portal.tls.is_none() => format!("http://localhost:{}", portal.address.port()),
            None => format!("https://localhost:{}", portal.address.port()),
        }
    }
}

impl AppsListener {
    /// Scheme and port as browsers see them.
    pub fn external(&self) -> (Scheme, u16) {
        let scheme = if self.tls.is_some() {
            Scheme::Https
        } else {
            self.external_scheme
        };
        let port = match (self.external_port, &self.tls, scheme) {
            (Some(port), ..) => port,
            (None, Some(_), _) => self.address.port(),
            (None, None, Scheme::Https) => 443,
            (None, None, Scheme::Http) => 80,
        };
        (scheme, port)
    }
}

impl Upstream {
    /// The `aud` of its assertions.
    pub fn audience(&self) -> &str {
        self.identity
            .audience
            .as_deref()
            .unwrap_or(self.name.as_str())
    }
}

/// The process's environment, as [`Config::load`] wants it. Variables that are not text are left out.
pub fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Reads and checks a text.
fn parse(
    path: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    files: Files,
) -> Result<(Config, Written), Problems> {
    let mut found = Found::new(path);
    let mut root = document::parse(text, &mut found);
    let is_toml = found.is_empty();
    environment::apply(&mut root, Config::FIELDS, environment, &mut found);
    if !is_toml {
        return Err(beside_syntax(path, &root, found));
    }
    let config = Config::read_table(&root, &Place::Default, "", &mut found);
    if let Some(config) = &config
        && found.is_empty()
    {
        check::all(config, &root, files, &mut found);
    } else {
        let more = recover::more_problems(path, &root, files, &found);
        for problem in more {
            found.push(problem);
        }
    }
    match config {
        Some(config) if found.is_empty() => Ok((config, written::of(&root))),
        _ => Err(found.into_problems()),
    }
}

/// Where the text is not TOML, what else is wrong on lines that could be read. What is missing or does
/// not fit together says nothing then.
fn beside_syntax(path: &Path, root: &document::Table, mut found: Found) -> Problems {
    let mut more = Found::new(path);
    let _ = Config::read_table(root, &Place::Default, "", &mut more);
    for problem in more.into_list() {
        let readable = match problem.place {
            Place::Line(line) => !found.has_line(line),
            Place::Environment(_) => true,
            Place::Default => false,
        };
        if readable && problem.message != "missing" {
            found.push(problem);
        }
    }
    found.into_problems()
}

#[cfg(test)]
mod tests;
