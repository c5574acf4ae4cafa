//! The composition root: build, run, reload, drain. Only here do the data plane and the control plane meet.

mod access;
mod alarms;
mod build;
mod control;
mod events;
mod index;
mod log;
mod ops;
mod recording;
mod recordings;
mod rules;
mod serve;
mod signals;
mod sinks;
mod subject;
mod translate;
mod views;
mod watch;

pub(crate) use access::access_options;
pub(crate) use build::policy_options;
pub(crate) use index::index_settings;
pub(crate) use log::{keys as log_keys, origin as log_origin};
pub(crate) use recording::settings as recording_settings;

use crate::audit::index::IndexCounters;
use crate::audit::recording::Recorder;
use crate::audit::{Event, Journal, StartError};
use crate::config::{Config, Problems, Written};
use crate::model::{Attempts, Clock};
use crate::policy;
use crate::proxy::budget::Budget;
use crate::proxy::listener::Shutdown;
use crate::proxy::strangers::Strangers;
use crate::proxy::upstream::identity::KeyRing;
use crate::proxy::worker::{Places, Plane};
use crate::store::control::Book;
use crate::store::live::Live;
use crate::store::sqlite::Sqlite;
use crate::store::{GrantStore, StoreError};
use crate::telemetry::{self, Metrics};
use arc_swap::ArcSwap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Why Locum does not serve. Always said with a remedy; never served in part.
#[derive(Debug)]
pub enum RunError {
    Config(Problems),
    Policy(policy::Problems),
    Store(StoreError),
    Journal(StartError),
    /// One part of the configuration cannot be made to work: which, and why.
    Build {
        what: String,
        why: String,
    },
    Io {
        doing: String,
        source: std::io::Error,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => write!(f, "the configuration cannot be used:\n{problems}"),
            Self::Policy(problems) => write!(f, "the policy cannot be used:\n{problems}"),
            Self::Store(why) => write!(f, "the grant store cannot be used: {why}"),
            Self::Journal(why) => write!(f, "the journal cannot be used: {why}"),
            Self::Build { what, why } => write!(f, "{what}: {why}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(why) => Some(why),
            Self::Journal(why) => Some(why),
            Self::Io { source, .. } => Some(source),
            Self::Config(_) | Self::Policy(_) | Self::Build { .. } => None,
        }
    }
}

impl RunError {
    fn build(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Build {
            what: what.into(),
            why: why.to_string(),
        }
    }

    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }
}

/// What lives as long as the process, and what a reload needs to make a new setup.
pub(crate) struct Parts {
    pub path: PathBuf,
    pub plane: Arc<Plane>,
    pub book: Book,
    /// What is in force.
    pub config: ArcSwap<Config>,
    /// Shared with whoever signs or shows keys, whichever they are by then.
    pub keys: Arc<ArcSwap<KeyRing>>,
    pub tls: serve::TlsConfigs,
    /// Held while everything is read again.
    pub reading: tokio::sync::Mutex<()>,
    /// Where the portal is on.
    pub control: OnceLock<control::Running>,
    pub counted: control::Counted,
    /// Where the journal has an index.
    pub index: Option<Arc<IndexCounters>>,
}

/// Begins to seed the generator of random bytes, on a thread of its own: its first seed takes longer than all else that the
/// start does, since it measures the processor's jitter. Whoever needs a random byte before it is done waits for it.
pub(crate) fn seed() {
    let seed = || {
        let _ = aws_lc_rs::rand::fill(&mut [0]);
    };
    // Without a thread the first who needs one seeds it.
    let _ = std::thread::Builder::new()
        .name("locum-seed".into())
        .spawn(seed);
}

/// Serves until told to stop. `path` is the configuration's file, read again on SIGHUP; `written` what it says.
///
/// # Errors
/// Whatever keeps Locum from serving whole.
pub fn run(config: &Config, written: &Written, path: &Path) -> Result<(), RunError> {
    telemetry::log::start(&config.log.level, translate::log_format(config));
    let clock = Clock::System;
    make_private(&config.state_dir).map_err(RunError::io(format!(
        "cannot make {}",
        config.state_dir.display()
    )))?;
    let journal = Arc::new(
        Journal::start(translate::journal(config)?, clock.clone()).map_err(RunError::Journal)?,
    );
    let keeper = index::start(config, &journal)?;
    let counters = keeper.as_ref().map(|it| Arc::clone(it.counters()));
    let served = serve_with(config, written, path, clock, &journal, counters);
    drop(keeper);
    let cause = match &served {
        Ok(()) => "signal".to_owned(),
        Err(error) => error.to_string(),
    };
    journal.stop(&cause);
    served
}

fn serve_with(
    config: &Config,
    written: &Written,
    path: &Path,
    clock: Clock,
    journal: &Arc<Journal>,
    index: Option<Arc<IndexCounters>>,
) -> Result<(), RunError> {
    let store: Arc<dyn GrantStore> =
        Arc::new(Sqlite::open(&translate::sqlite(config)).map_err(RunError::Store)?);
    let (live, events) = Live::open(Arc::clone(&store), clock.clone(), translate::live(config))
        .map_err(RunError::Store)?;
    let keys = KeyRing::load_or_generate(
        &config.keys_dir(),
        translate::key_algorithm(config.keys.algorithm),
    );
    let keys = Arc::new(keys.map_err(|why| RunError::build("signing keys", why))?);
    let mut metrics = Metrics::default();
    let counted = control::Counted::default();
    counted.register(&mut metrics);
    let metrics = Arc::new(metrics);
    let setup = build::setup(config, &keys, &live)?;
    let book = Book::open(&translate::sqlite(config)).map_err(RunError::Store)?;
    // Without the portal nobody asks for access, and nothing decides on it.
    let asks = config.listeners.portal.enabled;
    let access = asks.then(|| control::access_policy(config)).transpose()?;
    let rules = rules::Read {
        config,
        written,
        policy: &setup.policy,
        access: access.as_ref(),
        keys: &keys,
    };
    rules::start(&book, &rules.rules(), clock.now())?;
    loaded(&setup.policy, &metrics, journal);
    let recorder = recorder(config, journal, &clock)?;
    let stopping = recorder.clone();
    let plane = Arc::new(Plane {
        live: Arc::clone(&live),
        journal: Arc::clone(journal),
        recorder,
        metrics,
        clock,
        connections: Places::default(),
        websockets: Places::default(),
        attempts: Attempts::default(),
        strangers: Strangers::default(),
        policy_buffers: Budget::default(),
        current: ArcSwap::from_pointee(setup),
    });
    let parts = Parts {
        path: path.to_owned(),
        plane,
        book,
        config: ArcSwap::from_pointee(config.clone()),
        keys: Arc::new(ArcSwap::new(keys)),
        tls: serve::TlsConfigs::new(config)?,
        reading: tokio::sync::Mutex::new(()),
        control: OnceLock::new(),
        counted,
        index,
    };
    let served = serve_until_stopped(config, parts, events);
    // Before the journal stops: what is still to be written names records of it.
    stopping.stop();
    live.stop();
    served
}

/// Says which policy is in force.
fn loaded(policy: &policy::Policy, metrics: &Metrics, journal: &Journal) {
    let rows = policy.rows();
    metrics
        .policy_rows
        .set(i64::try_from(rows).unwrap_or(i64::MAX));
    journal.note(&Event::PolicyLoaded {
        digest: policy.digest(),
        rows: rows as u64,
    });
}

fn recorder(config: &Config, journal: &Journal, clock: &Clock) -> Result<Recorder, RunError> {
    Recorder::start(
        recording::settings(config)?,
        &config.audit.redact_query,
        journal.clone(),
        clock.clone(),
    )
    .map_err(|why| RunError::build("recording", why))
}

fn serve_until_stopped(
    config: &Config,
    parts: Parts,
    events: tokio::sync::mpsc::Receiver<crate::store::live::SessionEvent>,
) -> Result<(), RunError> {
    let shutdown = Shutdown::default();
    let workers = serve::start(config, &parts, &shutdown)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::io("cannot start the control plane"))?;
    let parts = Arc::new(parts);
    let served = runtime.block_on(async {
        signals::survive_file_limit()?;
        let lane = serve::count(config);
        tokio::spawn(events::record(Arc::clone(&parts.plane), events, lane));
        tokio::spawn(build::refresh_issuers(Arc::clone(&parts.plane)));
        tokio::spawn(recording::sweep(Arc::clone(&parts)));
        tokio::spawn(watch::watch(
            Arc::clone(&parts.plane),
            config.audit.clock_step,
        ));
        let ops = ops::listen(
            config.listeners.ops.address,
            Arc::clone(&parts),
            shutdown.drain.clone(),
        )
        .await?;
        let portal = control::start(config, &parts, &shutdown.drain).await?;
        if let Some(control) = parts.control.get() {
            tokio::spawn(signals::agreed(Arc::clone(&parts), control.agreed()));
        }
        announce(config, &parts);
        ready();
        signals::wait(&parts, &shutdown).await?;
        drop((ops, portal));
        signals::drain(config, &shutdown, &parts.plane, &workers).await;
        Ok(())
    });
    // Also where the start failed: workers that still accept would never be joined.
    shutdown.drain.cancel();
    shutdown.kill.cancel();
    workers.join();
    watch::tell_of_strangers(&parts.plane);
    served
}

/// Tells systemd, where it listens (`Type=notify`), that all listeners are open.
fn ready() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Where to go and what is enforced, in five lines.
fn announce(config: &Config, parts: &Parts) {
    let setup = parts.plane.setup();
    let apps: Vec<String> = setup
        .apps
        .iter()
        .map(|app| {
            format!(
                "{} ({:?}, {:?} origin)",
                app.name, app.placement, app.origin
            )
            .to_lowercase()
        })
        .collect();
    let lines = [
        format!(
            "apps      {} on {}",
            config.session_origin("<session>", "<app>"),
            config.listeners.apps.address
        ),
        format!("serving   {}", apps.join(", ")),
        format!(
            "policy    {} rows, deny by default, digest {}",
            setup.policy.rows(),
            setup.policy.digest().get(..12).unwrap_or_default()
        ),
        format!(
            "record    {} ({} durability), before anything is forwarded",
            config.journal_dir().display(),
            parts.plane.journal.durability().as_str()
        ),
        format!(
            "watch     http://{}/metrics, /healthz, /readyz",
            config.listeners.ops.address
        ),
    ];
    let mut out = std::io::stdout().lock();
    for line in lines {
        // Nobody may be reading, which is no reason not to serve.
        let _ = std::io::Write::write_all(&mut out, format!("{line}\n").as_bytes());
    }
    let _ = std::io::Write::flush(&mut out);
}

/// Makes the directory, for its owner only, if there is none: names of sessions and segments are nobody else's.
fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir)
}
