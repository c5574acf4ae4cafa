//! The control plane's one object: what every way in (API, portal, signals, timers) calls, with all that it leans on.

use super::courier::Courier;
use super::duties::StepUp;
use super::refusal::Refusal;
use super::tickets::hook::{Hook, HookBounds, HookRefused, HookSays};
use crate::model::{Alert, Caller, Clock, Happened, Scope, SubjectClass, Tier, Timestamp};
use crate::policy::access::AccessPolicy;
use crate::store::control::{Book, Tx};
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What an asynchronous neighbour gives back.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A ticket as its system told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: String,
    pub title: Option<String>,
}

/// Why a ticket does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketRefused {
    Unknown,
    Closed,
    /// It belongs to another tenant.
    Foreign,
    /// The system could not be asked, or said nothing that could be read.
    Unavailable(String),
}

/// The ticket system.
pub trait Tickets: Send + Sync {
    /// Whether there is such a ticket, open, and of this tenant.
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        tenant: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>>;

    /// How large a message of this system may be, and how long it may take to come.
    fn hook_bounds(&self, _system: Option<&str>) -> Result<HookBounds, HookRefused> {
        Err(HookRefused::NoSystem)
    }

    /// What a signed message of a ticket system says.
    fn hook(&self, _hook: &Hook<'_>) -> Result<HookSays, HookRefused> {
        Err(HookRefused::NoSystem)
    }

    /// A message was acted on: saying it again does nothing.
    fn hook_done(&self, _says: &HookSays, _now: Timestamp) {}
}

/// Who knows how sensitive a customer's account is.
pub trait Subjects: Send + Sync {
    /// The class of a subject. An error refuses the request: unknown is never ordinary.
    fn class<'a>(
        &'a self,
        tenant: &'a str,
        subject: &'a str,
    ) -> Answer<'a, Result<SubjectClass, String>>;
}

/// What an alert channel said to a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub channel: String,
    /// `webhook`, `slack`, `pagerduty` or `smtp`.
    pub kind: &'static str,
    /// `taken`, or the word that metrics have for why not.
    pub result: &'static str,
    /// Why it did not take it; shows no secret.
    pub why: Option<String>,
}

/// Where alerts leave.
pub trait Alarm: Send + Sync {
    /// Sends to every channel at once. Returns the names of those that took it, as soon as one has, or the reasons of all.
    fn raise<'a>(&'a self, alert: &'a Alert) -> Answer<'a, Result<Vec<String>, String>>;

    /// Sends a marked test by the channel of this name, or by each, and records what each said. What has no channels refuses.
    fn test<'a>(
        &'a self,
        _channel: Option<&'a str>,
        _by: &'a Caller,
    ) -> Answer<'a, Result<Vec<Tried>, Refusal>> {
        Box::pin(async {
            let detail = "No alert channel is configured: add [[alerts]].";
            Err(Refusal::conflict("alert.no-channels", detail))
        })
    }
}

/// A scope as people choose it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ScopeChoice {
    pub name: Scope,
    /// "See orders and invoices".
    pub sentence: String,
    pub tier: Tier,
}

/// What the data plane's route policy and configuration say of apps.
pub trait Routes: Send + Sync {
    fn apps(&self) -> Vec<String>;
    /// All that a grant for this app may carry.
    fn scopes(&self, app: &str) -> Vec<ScopeChoice>;
    /// Those that people choose from; the scopes of break-glass are given by the configuration.
    fn choices(&self, app: &str) -> Vec<ScopeChoice> {
        self.scopes(app)
    }
    /// `https://<session>.<app>.<suffix>`.
    fn origin(&self, session: &str, app: &str) -> String;
}

/// A customer, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantSettings {
    pub name: Option<String>,
    /// The customer's auditor must consent to each request.
    pub consent: bool,
    /// The one there who is asked for it, by mail.
    pub contact: Option<String>,
}

/// Bounds on what is kept and shown, by their keys in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `tickets.max_id_bytes`.
    pub ticket_bytes: usize,
    /// `identity.workloads.at_once`.
    pub at_once: Duration,
    /// `identity.workloads.max_places`.
    pub places: usize,
    /// `listeners.portal.request_rows`, `evidence_rows`, `live_rows` and `recording_rows`.
    pub request_rows: usize,
    pub evidence_rows: usize,
    pub live_rows: usize,
    pub recording_rows: usize,
}

#[cfg(test)]
impl Default for Bounds {
    fn default() -> Self {
        Self {
            ticket_bytes: 128,
            at_once: Duration::from_secs(600),
            places: 16,
            request_rows: 25,
            evidence_rows: 50,
            live_rows: 200,
            recording_rows: 5000,
        }
    }
}

/// The criteria of break-glass.
#[derive(Clone, Debug)]
pub struct EmergencySettings {
    pub enabled: bool,
    /// What an incident's id begins with; empty: any id.
    pub incident_prefixes: Vec<String>,
    /// Reason codes that count; empty: all.
    pub reason_codes: Vec<String>,
    pub max_time: Duration,
    /// The scopes of every break-glass grant.
    pub scopes: Vec<Scope>,
    /// When a review is due after the glass was broken.
    pub review_within: Duration,
    /// Uncertified uses by the whole team, beyond which nobody breaks glass.
    pub max_unreviewed: usize,
    /// Open even if no alert channel took the alert; it is recorded either way.
    pub open_unalerted: bool,
    /// How long channels have to take the alert.
    pub alert_timeout: Duration,
}

/// What tunes the control plane. Replaced whole by a reload.
#[derive(Debug)]
pub struct Settings {
    pub access: AccessPolicy,
    /// Known tenants; empty: every tenant.
    pub tenants: BTreeMap<String, TenantSettings>,
    pub reason_codes: Vec<String>,
    pub max_time: Duration,
    pub default_time: Duration,
    /// How long a request waits to be finished.
    pub request_ttl: Duration,
    pub vote_ttl: Duration,
    pub code_ttl: Duration,
    pub max_sessions: usize,
    pub max_open_requests: usize,
    pub max_text: usize,
    pub max_scopes: usize,
    pub step_up: StepUp,
    /// A ticket must be given.
    pub ticket_required: bool,
    /// The ticket system down: queue the request instead of refusing it.
    pub queue_unchecked: bool,
    pub emergency: EmergencySettings,
    /// Minutes east of UTC, for the hours in policies.
    pub zone_minutes: i32,
    /// The portal's origin, for links.
    pub portal: String,
    /// Who carries letters to customers; `None`: nobody.
    pub courier: Option<Courier>,
    pub bounds: Bounds,
}

/// The control plane.
pub struct Control {
    pub book: Book,
    pub clock: Clock,
    pub settings: ArcSwap<Settings>,
    pub tickets: Arc<dyn Tickets>,
    pub subjects: Arc<dyn Subjects>,
    pub alarm: Arc<dyn Alarm>,
    pub routes: Arc<dyn Routes>,
    /// Rung when enough people agreed to a change of Locum's own rules.
    pub agreed: Arc<Notify>,
    pub metrics: Arc<Metrics>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

impl Control {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs one transaction away from the runtime's threads.
    pub async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.book.run(doing, work).await
    }

    /// Records that somebody was refused a step: what, on what, and why. The refusal itself goes on to them.
    pub async fn refused(&self, caller: &Caller, step: &str, about: Happened, why: &Refusal) {
        let now = self.now();
        let happened = Happened {
            code: "control.refused".to_owned(),
            severity: 2,
            actor: caller.person.clone(),
            account: Some(caller.account.clone()),
            ..about
        }
        .with("step", step)
        .with("reason", why.reason);
        let noted = self
            .run("recording a refusal", move |tx| Ok(tx.note(happened, now)?))
            .await;
        if let Err(error) = noted {
            tracing::error!(%error, step, "a refusal could not be recorded");
        }
    }
}
