//! What tunes identity, with the secrets read; made anew by a reload.

use crate::config::{self, Config, JwtAlgorithm, RoleName};
use crate::model::{Reach, Role};
use crate::store::external::{Algorithm, Issuer, Jwks};
use openidconnect::ClientSecret;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A part of `[identity]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The key.
    pub key: String,
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

impl std::error::Error for SettingsError {}

/// All of it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub human: HumanSettings,
    pub workloads: WorkloadSettings,
    pub roles: Vec<RoleRow>,
    /// The portal's origin, as browsers see it.
    pub portal: String,
    pub login_max: Duration,
    pub login_idle: Duration,
    pub token_max: Duration,
    pub flow_max: Duration,
    pub max_flows: usize,
    pub max_sign_ins: u32,
    /// Addresses whose tries are remembered.
    pub max_addresses: usize,
    pub max_token_bytes: usize,
    pub max_groups: usize,
}

/// How people sign in.
#[derive(Clone, Debug)]
pub enum HumanSettings {
    /// Nobody can.
    None,
    Oidc(Box<OidcSettings>),
    Assertion(Box<AssertionSettings>),
    /// Demo personas.
    Demo(Vec<Persona>),
}

#[derive(Clone, Debug)]
pub struct OidcSettings {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<ClientSecret>,
    pub ca: Option<PathBuf>,
    pub scopes: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    pub groups_claim: String,
    pub person_claim: Option<String>,
    pub userinfo: bool,
    pub timeout: Duration,
    pub max_answer_bytes: usize,
    pub refresh: Duration,
    pub max_stale: Duration,
    pub cooldown: Duration,
    pub leeway: Duration,
}

#[derive(Clone, Debug)]
pub struct AssertionSettings {
    pub header: http::HeaderName,
    pub issuer: Issuer,
    pub groups_claim: String,
    pub person_claim: Option<String>,
    pub auth_time_claim: String,
}

#[derive(Clone, Debug, Default)]
pub struct WorkloadSettings {
    pub trust_domains: Vec<String>,
    pub issuers: Vec<Issuer>,
}

/// Somebody to be in a demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    pub id: String,
    pub name: String,
    pub groups: Vec<String>,
    pub person: String,
}

/// What a group gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    pub group: String,
    pub role: Role,
    pub tenants: Reach,
    pub apps: Reach,
}

impl Settings {
    /// From the configuration; reads the client's secret.
    pub fn from(config: &Config) -> Result<Self, SettingsError> {
        let from = &config.identity;
        Ok(Self {
            human: human(config)?,
            workloads: WorkloadSettings {
                trust_domains: from.workloads.trust_domains.clone(),
                issuers: from
                    .workloads
                    .issuers
                    .iter()
                    .map(workload_issuer)
                    .collect::<Result<_, _>>()?,
            },
            roles: config.roles.iter().map(row).collect(),
            portal: config.portal_origin(),
            login_max: from.login_max,
            login_idle: from.login_idle,
            token_max: from.token_max,
            flow_max: from.flow_max,
            max_flows: from.max_flows,
            max_sign_ins: from.max_sign_ins,
            max_addresses: config.limits.max_attempt_addresses,
            max_token_bytes: from.max_token_bytes.len(),
            max_groups: from.max_groups,
        })
    }
}

fn human(config: &Config) -> Result<HumanSettings, SettingsError> {
    let from = &config.identity;
    Ok(match (&from.oidc, &from.assertion) {
        // The check of the configuration says the same; whoever gets around it finds the door closed here too.
        _ if from.demo && !config.listeners.portal.address.ip().is_loopback() => {
            return Err(failed(
                "identity.demo",
                "personas are for a portal on loopback only",
            ));
        }
        _ if from.demo => HumanSettings::Demo(config.personas.iter().map(persona).collect()),
        (_, Some(it)) => HumanSettings::Assertion(Box::new(assertion(it)?)),
        (Some(it), None) => HumanSettings::Oidc(Box::new(oidc(it)?)),
        (None, None) => HumanSettings::None,
    })
}

fn oidc(from: &config::Oidc) -> Result<OidcSettings, SettingsError> {
    let secret = match (&from.client_secret_file, &from.client_secret_env) {
        (Some(path), _) => Some(read(path)?),
        (None, Some(name)) => Some(std::env::var(name).map_err(|_| {
            let problem = format!("{name} is not set in the environment");
            failed("identity.oidc.client_secret_env", problem)
        })?),
        (None, None) => None,
    };
    Ok(OidcSettings {
        issuer: from.issuer.clone(),
        client_id: from.client_id.clone(),
        client_secret: secret.map(ClientSecret::new),
        ca: from.ca.clone(),
        scopes: from.scopes.clone(),
        algorithms: algorithms(&from.algorithms),
        groups_claim: from.groups_claim.clone(),
        person_claim: from.person_claim.clone(),
        userinfo: from.userinfo,
        timeout: from.timeout,
        max_answer_bytes: from.max_answer_bytes.len(),
        refresh: from.refresh,
        max_stale: from.max_stale,
        cooldown: from.cooldown,
        leeway: from.leeway,
    })
}

fn read(path: &Path) -> Result<String, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|why| {
        let problem = format!("{} cannot be read: {why}", path.display());
        failed("identity.oidc.client_secret_file", problem)
    })?;
    Ok(text.trim().to_owned())
}

fn assertion(from: &config::Assertion) -> Result<AssertionSettings, SettingsError> {
    let header = http::HeaderName::from_bytes(from.header.as_str().as_bytes())
        .map_err(|_| failed("identity.assertion.header", "not a header name"))?;
    let issuer = Issuer {
        algorithms: algorithms(&from.algorithms),
        // Access proxies type them as JWT, or leave it out (RFC 7519 §5.1).
        types: vec!["JWT".to_owned()],
        untyped: true,
        max_lifetime: from.max_lifetime,
        leeway: from.leeway,
        refresh: from.refresh,
        max_stale: from.max_stale,
        min_refresh: from.cooldown,
        ca: from.ca.clone(),
        ..Issuer::new(
            &from.issuer,
            &from.audience,
            jwks(&from.jwks, "identity.assertion.jwks")?,
        )
    };
    Ok(AssertionSettings {
        header,
        issuer,
        groups_claim: from.groups_claim.clone(),
        person_claim: from.person_claim.clone(),
        auth_time_claim: from.auth_time_claim.clone(),
    })
}

fn workload_issuer(from: &config::WorkloadIssuer) -> Result<Issuer, SettingsError> {
    Ok(Issuer {
        algorithms: algorithms(&from.algorithms),
        types: from.typ.clone(),
        max_lifetime: from.max_lifetime,
        leeway: from.leeway,
        refresh: from.refresh,
        max_stale: from.max_stale,
        min_refresh: from.cooldown,
        ca: from.ca.clone(),
        ..Issuer::new(
            &from.issuer,
            &from.audience,
            jwks(&from.jwks, "identity.workloads.issuers.jwks")?,
        )
    })
}

fn jwks(text: &str, key: &str) -> Result<Jwks, SettingsError> {
    if !text.contains("://") {
        return Ok(Jwks::File(text.into()));
    }
    let url = text.parse().map_err(|_| failed(key, "not a URL"))?;
    Ok(Jwks::Url(url))
}

fn algorithms(from: &[JwtAlgorithm]) -> Vec<Algorithm> {
    let one = |it: &JwtAlgorithm| match it {
        JwtAlgorithm::Es256 => Algorithm::Es256,
        JwtAlgorithm::EdDsa => Algorithm::EdDsa,
        JwtAlgorithm::Rs256 => Algorithm::Rs256,
    };
    from.iter().map(one).collect()
}

fn persona(from: &config::Persona) -> Persona {
    let person = from.person.as_ref().unwrap_or(&from.id);
    Persona {
        id: from.id.clone(),
        name: from.name.clone(),
        groups: from.groups.clone(),
        person: person.trim().to_lowercase(),
    }
}

fn row(from: &config::RoleRow) -> RoleRow {
    RoleRow {
        group: from.group.clone(),
        role: match from.role {
            RoleName::Operator => Role::Operator,
            RoleName::Approver => Role::Approver,
            RoleName::Security => Role::Security,
            RoleName::Auditor => Role::Auditor,
            RoleName::Admin => Role::Admin,
            RoleName::TenantAuditor => Role::TenantAuditor,
            RoleName::BreakGlass => Role::BreakGlass,
        },
        tenants: reach(&from.tenants),
        apps: reach(&from.apps),
    }
}

fn reach(names: &[String]) -> Reach {
    if names.iter().any(|name| name == "*") {
        Reach::All
    } else {
        Reach::Only(names.to_vec())
    }
}

fn failed(key: &str, problem: impl Into<String>) -> SettingsError {
    SettingsError {
        key: key.to_owned(),
        problem: problem.into(),
    }
}
