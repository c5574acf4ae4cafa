//! From the configuration to transmitters whose keys are at hand and receivers that can be called.

use crate::config::{Config, JwtAlgorithm, SignalAbout, SignalReceiver, SignalTransmitter};
use crate::control::backoff::Backoff;
use crate::control::outbound::Outbound;
use crate::control::secret_file;
use crate::model::Reach;
use crate::store::external::{Algorithm, Issuer, Jwks, Signer};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use url::Url;

/// The type of a security event token (RFC 8417 §2.3), without `application/`.
pub(super) const TYPE: &str = "secevent+jwt";

/// Whom Locum hears, and whom it tells. Made anew at each reload.
#[derive(Debug)]
pub struct Settings {
    pub(super) transmitters: Vec<Transmitter>,
    pub(super) receivers: Vec<Arc<Receiver>>,
    /// `iss` of what is told.
    pub(super) issuer: String,
    pub(super) max_token_bytes: usize,
    pub(super) max_under_way: usize,
    pub(super) backoff: Backoff,
}

/// Somebody who is heard.
#[derive(Debug)]
pub(super) struct Transmitter {
    pub(super) signer: Signer,
    pub(super) about: SignalAbout,
    pub(super) tenants: Reach,
    pub(super) bearer: Option<Bearer>,
    pub(super) max_age: Duration,
    pub(super) leeway: Duration,
}

/// Somebody who is told.
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) to: Outbound,
    pub(super) url: Url,
    pub(super) audience: String,
    /// The whole value of `Authorization`. Secret.
    pub(super) authorization: Option<String>,
    pub(super) apps: Reach,
    pub(super) tenants: Reach,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.name)
    }
}

/// The hash of a bearer token.
pub(super) struct Bearer(Vec<u8>);

impl Bearer {
    fn new(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()).as_ref().to_vec())
    }

    /// In constant time.
    pub(super) fn is(&self, presented: &str) -> bool {
        let hash = digest(&SHA256, presented.as_bytes());
        self.0.ct_eq(hash.as_ref()).into()
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// A transmitter or receiver that cannot be used as configured.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError {
    pub who: String,
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signals, {}: {}", self.who, self.problem)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the files that the configuration names (blocking).
    pub fn from_config(config: &Config) -> Result<Self, SettingsError> {
        let from = &config.signals;
        let max_token_bytes = from.max_token_bytes.len();
        let transmitters = from.transmitters.iter().map(|one| {
            transmitter(one, max_token_bytes).map_err(|problem| SettingsError {
                who: one.issuer.clone(),
                problem,
            })
        });
        let receivers = from.receivers.iter().map(|one| {
            let made = receiver(one).map_err(|problem| SettingsError {
                who: one.name.to_string(),
                problem,
            })?;
            Ok(Arc::new(made))
        });
        Ok(Self {
            transmitters: transmitters.collect::<Result<_, _>>()?,
            receivers: receivers.collect::<Result<_, SettingsError>>()?,
            issuer: config.portal_origin(),
            max_token_bytes,
            max_under_way: from.max_under_way,
            backoff: Backoff {
                first: from.retry_first,
                longest: from.retry_longest,
                give_up: from.give_up,
            },
        })
    }
}

fn transmitter(from: &SignalTransmitter, max_bytes: usize) -> Result<Transmitter, String> {
    let jwks = if from.jwks.contains("://") {
        Jwks::Url(Url::parse(&from.jwks).map_err(|error| format!("jwks: {error}"))?)
    } else {
        Jwks::File(from.jwks.clone().into())
    };
    let mut issuer = Issuer::new(&from.issuer, &from.audience, jwks);
    issuer.types = vec![TYPE.to_owned()];
    issuer.algorithms = from
        .algorithms
        .iter()
        .map(|algorithm| match algorithm {
            JwtAlgorithm::Es256 => Algorithm::Es256,
            JwtAlgorithm::EdDsa => Algorithm::EdDsa,
            JwtAlgorithm::Rs256 => Algorithm::Rs256,
        })
        .collect();
    issuer.leeway = from.leeway;
    issuer.refresh = from.refresh;
    issuer.min_refresh = from.cooldown;
    issuer.max_stale = from.max_stale;
    issuer.ca.clone_from(&from.ca);
    let bearer = match &from.token_file {
        Some(path) => Some(Bearer::new(&secret_file::read(path)?)),
        None => None,
    };
    Ok(Transmitter {
        signer: Signer::new(issuer, max_bytes).map_err(|error| error.problem)?,
        about: from.about,
        tenants: reach(from.tenants.clone()),
        bearer,
        max_age: from.max_age,
        leeway: from.leeway,
    })
}

fn receiver(from: &SignalReceiver) -> Result<Receiver, String> {
    let url = Url::parse(&from.url).map_err(|error| format!("url: {error}"))?;
    let authorization = match &from.token_file {
        Some(path) => Some(format!("Bearer {}", secret_file::read(path)?)),
        None => None,
    };
    Ok(Receiver {
        name: from.name.to_string(),
        to: Outbound::new(from.ca.as_deref(), from.timeout).map_err(|error| error.to_string())?,
        url,
        audience: from.audience.clone(),
        authorization,
        apps: reach(from.apps.iter().map(ToString::to_string).collect()),
        tenants: reach(from.tenants.clone()),
    })
}

/// An empty list means all.
fn reach(names: Vec<String>) -> Reach {
    if names.is_empty() {
        Reach::All
    } else {
        Reach::Only(names)
    }
}
