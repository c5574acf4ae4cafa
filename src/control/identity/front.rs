//! Identity's one object: what tunes it, whose keys it trusts, and what every way of proving oneself shares.

use super::oidc::Provider;
use super::outbound::{OutboundError, caused};
use super::refused::Refused;
use super::settings::{HumanSettings, Settings, SettingsError};
use crate::control::desk::Control;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Attempts, Happened, Timestamp};
use crate::store::external::{BearerRefused, Signer};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use arc_swap::ArcSwap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Who is asking.
pub struct Identity {
    pub(super) control: Arc<Control>,
    pub(super) metrics: Arc<Metrics>,
    attempts: Attempts,
    made: ArcSwap<Made>,
}

/// New settings, made ready and not used yet.
pub struct Prepared(Arc<Made>);

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

/// What a reload replaces.
pub(super) struct Made {
    pub(super) settings: Settings,
    pub(super) human: Human,
    /// Issuers of workloads' JWTs.
    pub(super) workloads: Vec<Signer>,
}

/// How people sign in, with the keys for it.
pub(super) enum Human {
    None,
    Oidc(Box<Provider>),
    Assertion(Box<Signer>),
    Demo,
}

impl Made {
    fn new(settings: Settings) -> Result<Self, Vec<SettingsError>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, problem: String| {
            problems.push(SettingsError {
                key: key.to_owned(),
                problem,
            });
        };
        let max = settings.max_token_bytes;
        let human = match &settings.human {
            HumanSettings::None => Human::None,
            HumanSettings::Demo(_) => Human::Demo,
            HumanSettings::Oidc(oidc) => match Provider::new((**oidc).clone()) {
                Ok(provider) => Human::Oidc(Box::new(provider)),
                Err(why) => {
                    problem("identity.oidc", why);
                    Human::None
                }
            },
            HumanSettings::Assertion(it) => match Signer::new(it.issuer.clone(), max) {
                Ok(signer) => Human::Assertion(Box::new(signer)),
                Err(why) => {
                    problem("identity.assertion", why.to_string());
                    Human::None
                }
            },
        };
        let mut workloads = Vec::new();
        for issuer in &settings.workloads.issuers {
            match Signer::new(issuer.clone(), max) {
                Ok(signer) => workloads.push(signer),
                Err(why) => problem("identity.workloads.issuers", why.to_string()),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                settings,
                human,
                workloads,
            })
        } else {
            Err(problems)
        }
    }
}

impl Identity {
    /// Checks the settings and reads key files (blocking). The provider is asked when first needed.
    pub fn new(
        settings: Settings,
        control: Arc<Control>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<SettingsError>> {
        Ok(Self {
            control,
            metrics,
            attempts: Attempts::default(),
            made: ArcSwap::from_pointee(Made::new(settings)?),
        })
    }

    /// Makes of new settings what can be put in their place (blocking: reads key files).
    pub fn prepare(settings: Settings) -> Result<Prepared, Vec<SettingsError>> {
        Ok(Prepared(Arc::new(Made::new(settings)?)))
    }

    /// Takes new settings; whoever is signed in stays so, with the seats that their groups give now.
    pub fn put(&self, prepared: Prepared) {
        self.made.store(prepared.0);
    }

    pub(super) fn made(&self) -> Arc<Made> {
        self.made.load_full()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.control.now()
    }

    /// Whether this address may try now. Beyond the limit nothing is looked at, so that nothing can be guessed.
    pub(super) fn may_try(&self, address: IpAddr) -> Result<(), Refusal> {
        let max = self.made().settings.max_sign_ins;
        if self.attempts.may_try(address, max, self.now()) {
            return Ok(());
        }
        self.metrics.hit(Limit::SignIns);
        Err(Refusal::new(
            Kind::TooMany,
            "login.too-many",
            "Too many sign-ins from your address. Wait a minute.",
        ))
    }

    /// Counts a try.
    pub(super) fn tried(&self, address: IpAddr) {
        let max = self.made().settings.max_addresses;
        if self.attempts.failed(address, max, self.now()) {
            self.metrics.hit(Limit::AttemptAddresses);
        }
    }

    /// Counts and records that a proof of identity was refused; hands the refusal on.
    pub(super) async fn refuse(
        &self,
        why: Refused,
        step: &'static str,
        address: IpAddr,
        known: Option<(&str, &str)>,
    ) -> Refusal {
        self.tried(address);
        self.measure(&why);
        tracing::info!(reason = why.reason(), step, error = %caused(&why), "a proof of identity was refused");
        if let Refused::Provider(words) = &why {
            tracing::warn!(step, words, "the identity provider's answer cannot be used");
        }
        let now = self.now();
        let (person, account) = known.unwrap_or(("unknown", ""));
        let happened = Happened {
            account: (!account.is_empty()).then(|| account.to_owned()),
            ..Happened::new("login.refused", person)
        }
        .severe(2)
        .with("step", step)
        .with("reason", why.reason())
        .with("address", address);
        let noted = self
            .control
            .run("recording a refused sign-in", move |tx| {
                Ok(tx.note(happened, now)?)
            })
            .await;
        if let Err(error) = noted {
            tracing::error!(%error, "a refused sign-in could not be recorded");
        }
        why.into()
    }

    fn measure(&self, why: &Refused) {
        let limit = match why {
            Refused::Groups { .. } => Limit::Groups,
            Refused::Bearer(BearerRefused::TooLong { .. }) => Limit::TokenBytes,
            Refused::Unreachable(OutboundError::TooLarge { .. }) => Limit::ProviderAnswer,
            Refused::Unreachable(OutboundError::Failed(why)) if why.is_timeout() => {
                Limit::ProviderTimeout
            }
            _ => return,
        };
        self.metrics.hit(limit);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}
