//! The control plane is put together here: its settings from the configuration, its neighbours, its timers, and what
//! happened in it into the journal.

use super::{Parts, RunError};
use crate::audit::Event;
use crate::config::{self, Config};
use crate::control::alerts::{self, Alerts};
use crate::control::api::{self, Api};
use crate::control::courier::Courier;
use crate::control::desk::{
    Bounds, Control, EmergencySettings, Routes, ScopeChoice, Settings, TenantSettings,
};
use crate::control::duties::StepUp;
use crate::control::identity::{self, Identity};
use crate::control::signals::{self, Signals};
use crate::control::subjects::{self, SubjectDesk, SubjectSettings};
use crate::control::tickets::{self, TicketDesk, TicketSettings};
use crate::control::web::shared::Web;
use crate::control::web::{self, listen};
use crate::model::{Scope, SessionId};
use crate::policy::access::AccessPolicy;
use crate::proxy::upstream::identity::KeyRing;
use crate::proxy::worker::Plane;
use crate::store::control::Book;
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long to wait before trying again to record what the journal refused.
const RETRY: Duration = Duration::from_millis(250);

/// How often what another process wrote is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// Rows that go to the journal in one go.
const BATCH: usize = 256;

/// The control plane that runs, with what a reload replaces in it.
pub(crate) struct Running {
    control: Arc<Control>,
    identity: Arc<Identity>,
    alerts: Alerts,
    signals: Signals,
    api: Arc<Api>,
    tickets: Arc<TicketDesk>,
    subjects: Arc<SubjectDesk>,
}

impl Running {
    /// Puts the control plane of this configuration together.
    fn new(config: &Config, parts: &Arc<Parts>) -> Result<Self, RunError> {
        let cannot = |why: tickets::SetupError| RunError::build(why.what.clone(), why);
        let tickets = TicketDesk::new(&TicketSettings::from(&config.tickets)).map_err(cannot)?;
        let subjects =
            SubjectDesk::new(&SubjectSettings::from(&config.subjects)).map_err(cannot)?;
        let (tickets, subjects) = (Arc::new(tickets), Arc::new(subjects));
        let book = parts.book.clone();
        let clock = parts.plane.clock.clone();
        let alerts = Alerts::new(
            book.clone(),
            clock.clone(),
            channels(config)?,
            parts.counted.alerts.clone(),
        );
        let signals = Signals::new(
            book.clone(),
            clock,
            events(config)?,
            signer(&parts.keys),
            parts.counted.signals.clone(),
        );
        let control = Arc::new(Control {
            book,
            clock: parts.plane.clock.clone(),
            settings: ArcSwap::from_pointee(settings(config)?),
            tickets: Arc::clone(&tickets) as _,
            subjects: Arc::clone(&subjects) as _,
            alarm: Arc::new(alerts.clone()),
            routes: Arc::new(Served(Arc::clone(&parts.plane))),
            agreed: Arc::default(),
            metrics: Arc::clone(&parts.plane.metrics),
        });
        let identity = Identity::new(
            who(config)?,
            Arc::clone(&control),
            Arc::clone(&parts.plane.metrics),
        );
        let identity = Arc::new(identity.map_err(|problems| no_identity(&problems))?);
        let evidence = Arc::new(super::index::evidence(
            config,
            &parts.plane.journal,
            &parts.plane.metrics,
        ));
        let api = api::new(
            Arc::clone(&control),
            Arc::clone(&evidence),
            Arc::new(super::recordings::recordings(config, parts)?),
            Arc::clone(&identity) as _,
            Arc::clone(&parts.plane.metrics),
            api::Settings::from(config),
        );
        Ok(Self {
            control,
            identity,
            alerts,
            signals,
            api,
            tickets,
            subjects,
        })
    }

    /// Rung when enough people agreed to other rules.
    pub(super) fn agreed(&self) -> Arc<Notify> {
        Arc::clone(&self.control.agreed)
    }

    /// Makes of a new configuration what can be put in place of the old: all that can fail.
    pub(super) fn prepare(config: &Config) -> Result<Prepared, RunError> {
        let cannot = |why: tickets::SetupError| RunError::build(why.what.clone(), why);
        let tickets = TicketDesk::prepare(&TicketSettings::from(&config.tickets));
        let subjects = SubjectDesk::prepare(&SubjectSettings::from(&config.subjects));
        let identity = Identity::prepare(who(config)?);
        Ok(Prepared {
            settings: settings(config)?,
            channels: channels(config)?,
            events: events(config)?,
            api: api::Settings::from(config),
            replay: super::recordings::replay(config),
            tickets: tickets.map_err(cannot)?,
            subjects: subjects.map_err(cannot)?,
            identity: identity.map_err(|problems| no_identity(&problems))?,
        })
    }

    /// Puts it in place. Nothing here can fail.
    pub(super) fn put(&self, new: Prepared) {
        self.identity.put(new.identity);
        self.tickets.put(new.tickets);
        self.subjects.put(new.subjects);
        self.alerts.reload(new.channels);
        self.signals.reload(new.events);
        self.control.settings.store(Arc::new(new.settings));
        self.api.settings.store(Arc::new(new.api));
        self.api.recordings.replay.store(Arc::new(new.replay));
    }
}

/// What a reload puts in place, made ready.
pub(super) struct Prepared {
    settings: Settings,
    channels: alerts::Settings,
    events: signals::Settings,
    api: api::Settings,
    replay: crate::control::replay::Settings,
    tickets: tickets::Prepared,
    subjects: subjects::Prepared,
    identity: identity::Prepared,
}

impl Prepared {
    /// The rules that requests for access would be decided by.
    pub(super) fn access(&self) -> &AccessPolicy {
        &self.settings.access
    }
}

fn who(config: &Config) -> Result<identity::Settings, RunError> {
    identity::Settings::from(config).map_err(|why| RunError::build("identity", why))
}

fn channels(config: &Config) -> Result<alerts::Settings, RunError> {
    alerts::Settings::from_config(config).map_err(|why| RunError::build("alerts", why))
}

fn events(config: &Config) -> Result<signals::Settings, RunError> {
    signals::Settings::from_config(config).map_err(|why| RunError::build("signals", why))
}

/// Signs with the key that assertions are signed with, whichever that is by then.
fn signer(keys: &Arc<ArcSwap<KeyRing>>) -> signals::Sign {
    let keys = Arc::clone(keys);
    Arc::new(move |typ, claims| keys.load().sign_as(typ, claims))
}

/// What alerts and signals count.
#[derive(Default)]
pub(crate) struct Counted {
    alerts: alerts::Counts,
    signals: signals::Counts,
}

impl Counted {
    /// Registered before anybody counts.
    pub(super) fn register(&self, metrics: &mut Metrics) {
        self.alerts.register(metrics.registry_mut());
        self.signals.register(metrics.registry_mut());
    }
}

fn no_identity(problems: &[identity::SettingsError]) -> RunError {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    RunError::build("identity", all.join("; "))
}

/// What tunes the control plane; read again on reload.
pub(super) fn settings(config: &Config) -> Result<Settings, RunError> {
    let from = &config.access;
    let tenant = |it: &config::Tenant| {
        let settings = TenantSettings {
            name: it.name.clone(),
            consent: it.consent,
            contact: it.contact.clone(),
        };
        (it.id.clone(), settings)
    };
    Ok(Settings {
        access: access_policy(config)?,
        tenants: config.tenants.iter().map(tenant).collect(),
        reason_codes: from.reason_codes.clone(),
        max_time: config.grants.max_ttl,
        default_time: config.grants.default_ttl,
        request_ttl: from.request_ttl,
        vote_ttl: from.vote_ttl,
        code_ttl: config.grants.code_ttl,
        max_sessions: from.max_sessions,
        max_open_requests: from.max_open_requests,
        max_text: from.max_text,
        max_scopes: from.max_scopes,
        step_up: StepUp {
            max_age: from.step_up_max_age,
            acr_values: from.step_up_acr.clone(),
        },
        ticket_required: from.ticket_required,
        queue_unchecked: from.queue_unchecked,
        emergency: emergency(config)?,
        zone_minutes: from.zone.minutes(),
        portal: config.portal_origin(),
        courier: Courier::from_config(config)
            .map_err(|why| RunError::build("consent_mail", why))?,
        bounds: bounds(config),
    })
}

fn bounds(config: &Config) -> Bounds {
    let (portal, workloads) = (&config.listeners.portal, &config.identity.workloads);
    Bounds {
        ticket_bytes: config.tickets.max_id_bytes,
        at_once: workloads.at_once,
        places: workloads.max_places,
        request_rows: portal.request_rows,
        evidence_rows: portal.evidence_rows,
        live_rows: portal.live_rows,
        recording_rows: portal.recording_rows,
    }
}

pub(super) fn access_policy(config: &Config) -> Result<AccessPolicy, RunError> {
    let options = super::access::access_options(config);
    AccessPolicy::load(&config.access.policy, &options).map_err(RunError::Policy)
}

fn emergency(config: &Config) -> Result<EmergencySettings, RunError> {
    let from = &config.break_glass;
    let scopes = from.scopes.iter().map(|name| name.parse::<Scope>());
    let scopes = scopes.collect::<Result<_, _>>();
    Ok(EmergencySettings {
        enabled: from.enabled,
        incident_prefixes: from.incident_prefixes.clone(),
        reason_codes: from.reason_codes.clone(),
        max_time: config.grants.break_glass_max_ttl,
        scopes: scopes.map_err(|why| RunError::build("break_glass.scopes", why))?,
        review_within: from.review_within,
        max_unreviewed: from.max_unreviewed,
        open_unalerted: from.open_unalerted,
        alert_timeout: from.alert_timeout,
    })
}

/// What the data plane serves, for those who choose from it.
struct Served(Arc<Plane>);

impl Routes for Served {
    fn apps(&self) -> Vec<String> {
        let setup = self.0.setup();
        setup.apps.iter().map(|app| app.name.clone()).collect()
    }

    fn scopes(&self, app: &str) -> Vec<ScopeChoice> {
        let policy = Arc::clone(&self.0.setup().policy);
        policy.scopes_of(app).into_iter().map(choice).collect()
    }

    fn choices(&self, app: &str) -> Vec<ScopeChoice> {
        let policy = Arc::clone(&self.0.setup().policy);
        let scopes = policy.scopes_of(app).into_iter();
        scopes.filter(|it| !it.break_glass).map(choice).collect()
    }

    fn origin(&self, session: &str, app: &str) -> String {
        let setup = self.0.setup();
        let found = setup.apps.iter().find(|it| &*it.name == app);
        match (found, session.parse::<SessionId>()) {
            (Some(app), Ok(session)) => {
                let front = app.origins.first();
                front.map_or_else(String::new, |it| setup.session_origin(app, it, session))
            }
            _ => String::new(),
        }
    }
}

fn choice(it: crate::policy::ScopeInfo) -> ScopeChoice {
    ScopeChoice {
        name: it.name,
        sentence: it.sentence,
        tier: it.tier,
    }
}

/// Writes what happened into the journal, each once and in order, until the process stops.
pub(super) async fn record(written: Book, plane: Arc<Plane>) {
    loop {
        let book = written.clone();
        let read = tokio::task::spawn_blocking(move || book.unrecorded(BATCH)).await;
        let noted = match read {
            Ok(Ok(noted)) => noted,
            Ok(Err(error)) => {
                tracing::error!(%error, "what happened in the control plane cannot be read");
                Vec::new()
            }
            Err(_) => return,
        };
        let Some(last) = noted.last().map(|it| it.sequence) else {
            let _ = tokio::time::timeout(LOOK, written.written()).await;
            continue;
        };
        for one in &noted {
            let event = Event::Control(&one.happened);
            while let Err(error) = plane.journal.event(&event).await {
                tracing::error!(%error, "a step of the control plane waits for the journal");
                tokio::time::sleep(RETRY).await;
            }
        }
        let book = written.clone();
        let marked = tokio::task::spawn_blocking(move || book.recorded_up_to(last)).await;
        if let Ok(Err(error)) = marked {
            tracing::error!(%error, "what is recorded could not be marked: it comes again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Does what is due, for ever.
pub(super) async fn sweep(control: Arc<Control>, every: Duration) {
    loop {
        if let Err(error) = control.sweep().await {
            tracing::error!(%error, "what is due in the control plane could not be done");
        }
        tokio::time::sleep(every).await;
    }
}

/// Forgets what is recorded and old, and secrets that are dead.
pub(super) async fn purge(control: Arc<Control>, every: Duration, keep: Duration) {
    loop {
        let now = control.now();
        let kept = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = crate::model::Timestamp::from_millis(now.millis().saturating_sub(kept));
        let book = control.book.clone();
        let done = tokio::task::spawn_blocking(move || book.purge(now, before)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "what is old could not be forgotten");
        }
        tokio::time::sleep(every).await;
    }
}

/// Starts the portal's listener and all that runs behind it, where the configuration has one.
pub(super) async fn start(
    config: &Config,
    parts: &Arc<Parts>,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let portal = &config.listeners.portal;
    if !portal.enabled {
        // What the command line does is on record without a portal too.
        tokio::spawn(record(parts.book.clone(), Arc::clone(&parts.plane)));
        return Ok(None);
    }
    let running = Running::new(config, parts)?;
    let (control, identity) = (Arc::clone(&running.control), Arc::clone(&running.identity));
    let (alerts, signals) = (running.alerts.clone(), running.signals.clone());
    let (sending, telling) = (alerts.clone(), signals.clone());
    let (one, other) = (stop.clone(), stop.clone());
    tokio::spawn(async move { sending.run(one).await });
    tokio::spawn(async move { telling.run(other).await });
    let api = Arc::clone(&running.api);
    let keys = Arc::clone(&parts.keys);
    let web = Arc::new(Web {
        control: Arc::clone(&control),
        evidence: Arc::clone(&running.api.evidence),
        gate: Arc::clone(&identity) as _,
        jwks: Arc::new(move || keys.load().jwks()),
        views: super::views::views(config, &parts.plane),
        recordings: Arc::clone(&api.recordings),
    });
    // Set once: this is the only place that starts a control plane.
    let _ = parts.control.set(running);
    let settings = listen::Settings {
        address: portal.address,
        tls: parts.tls.portal.clone(),
        max_connections: portal.max_connections,
        max_per_address: portal.max_connections_per_address,
        trusted_proxies: portal.trusted_proxies.clone(),
        metrics: Arc::clone(&parts.plane.metrics),
        head_timeout: portal.head_timeout,
    };
    let router = web::router(web, identity, signals, api);
    let listening = listen::listen(settings, router, stop.clone())
        .await
        .map_err(RunError::io("portal listener"))?;
    let store = &config.store;
    let journal = Arc::clone(&parts.plane.journal);
    let recorder = parts.plane.recorder.clone();
    tokio::spawn(super::alarms::watch(
        Arc::clone(&control),
        journal,
        recorder,
    ));
    tokio::spawn(record(control.book.clone(), Arc::clone(&parts.plane)));
    tokio::spawn(sweep(Arc::clone(&control), config.access.sweep_interval));
    tokio::spawn(purge(control, store.purge_interval, store.keep_ended));
    Ok(Some(listening))
}
