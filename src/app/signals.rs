//! What the world tells the process: stop, stop now, read everything again.

use super::serve::{TlsConfigs, Workers};
use super::{Parts, RunError, build, control, rules};
use crate::audit::Event;
use crate::config::Config;
use crate::control::changes::{self, Cause, Way};
use crate::model::Change;
use crate::proxy::listener::Shutdown;
use crate::proxy::setup::Setup;
use crate::proxy::upstream::identity::KeyRing;
use crate::proxy::worker::Plane;
use crate::telemetry::Limit;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How often a drain looks whether the last connection is gone.
const LOOK: Duration = Duration::from_millis(20);

/// `SIGXFSZ`: sent on a write beyond the limit on file size (setrlimit(2)); the same number wherever Rust has it.
const FILE_SIZE: i32 = 25;

/// A journal at the limit on file size is a full disk: refused, not a reason to die.
pub(super) fn survive_file_limit() -> Result<(), RunError> {
    // The handler stays when the stream is dropped; with one, the write fails with EFBIG instead.
    signal(SignalKind::from_raw(FILE_SIZE))
        .map(drop)
        .map_err(RunError::io("cannot listen for signals"))
}

/// Returns when the process is told to stop; reloads when it is told to.
pub(super) async fn wait(parts: &Arc<Parts>, shutdown: &Shutdown) -> Result<(), RunError> {
    let listen = |kind| signal(kind).map_err(RunError::io("cannot listen for signals"));
    let (mut term, mut int, mut hup) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::hangup())?,
    );
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => reload(parts, Cause::Told).await,
        }
    }
    shutdown.drain.cancel();
    Ok(())
}

/// Waits for what is under way, at most `drain_timeout`; a second signal does not wait.
pub(super) async fn drain(config: &Config, shutdown: &Shutdown, plane: &Plane, workers: &Workers) {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!(connections = plane.connections.taken(), "draining");
    let deadline = tokio::time::Instant::now() + config.limits.drain_timeout;
    let again = async {
        match signal(SignalKind::terminate()) {
            Ok(mut term) => drop(term.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let mut again = std::pin::pin!(again);
    while !workers.are_done() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = &mut again => break,
        }
        if tokio::time::Instant::now() >= deadline {
            plane.metrics.hit(Limit::DrainTimeout);
            tracing::warn!(
                connections = plane.connections.taken(),
                "limits.drain_timeout is over: what is left is cut"
            );
            break;
        }
    }
    shutdown.kill.cancel();
}

/// Reads everything again whenever enough people agreed to a change of it.
pub(super) async fn agreed(parts: Arc<Parts>, agreed: Arc<Notify>) {
    loop {
        agreed.notified().await;
        reload(&parts, Cause::Agreed).await;
    }
}

/// Reads configuration, policy and certificates again. Whole or not at all: what is bad is refused and said; what needs
/// votes waits for them.
pub(super) async fn reload(parts: &Arc<Parts>, cause: Cause) {
    let _one_at_a_time = parts.reading.lock().await;
    let working = Arc::clone(parts);
    let read = tokio::task::spawn_blocking(move || read_again(&working, cause)).await;
    let plane = &parts.plane;
    match read {
        Ok(Ok(Reloaded::Taken(digest))) => {
            plane.metrics.reloaded("taken");
            tracing::info!(
                policy = digest,
                "configuration, policy and certificates were read again"
            );
        }
        Ok(Ok(Reloaded::Waits(change))) => {
            plane.metrics.reloaded("waits");
            tracing::warn!(
                change = %change.id,
                needed = change.needed,
                "the reload waits for people to agree to change {}; what was good stays",
                change.id
            );
        }
        Ok(Err(error)) => {
            plane.metrics.reloaded("refused");
            plane.journal.note(&Event::ConfigRefused {
                problem: &error.to_string(),
            });
            tracing::error!(%error, "the reload was refused; what was good stays");
        }
        Err(error) => {
            plane.metrics.reloaded("refused");
            tracing::error!(%error, "the reload broke off; what was good stays");
        }
    }
}

/// What came of a reload.
enum Reloaded {
    /// In force, with this digest of the route policy.
    Taken(String),
    Waits(Box<Change>),
}

/// Everything that a reload puts in place. Whatever can fail has not.
struct Prepared {
    setup: Setup,
    keys: Arc<KeyRing>,
    tls: TlsConfigs,
    control: Option<control::Prepared>,
}

fn prepare(parts: &Parts, config: &Config) -> Result<Prepared, RunError> {
    let keys =
        KeyRing::load(&config.keys_dir()).map_err(|why| RunError::build("signing keys", why))?;
    let keys = Arc::new(keys);
    let setup = build::setup(config, &keys, &parts.plane.live).inspect_err(|error| {
        if let RunError::Policy(problems) = error {
            parts.plane.journal.note(&Event::PolicyRefused {
                digest: "",
                problem: &problems.to_string(),
            });
        }
    })?;
    let control = parts.control.get();
    let control = control.map(|_| control::Running::prepare(config));
    Ok(Prepared {
        setup,
        keys,
        tls: TlsConfigs::new(config)?,
        control: control.transpose()?,
    })
}

fn read_again(parts: &Parts, cause: Cause) -> Result<Reloaded, RunError> {
    let (config, written) = rules::read(&parts.path)?;
    let new = prepare(parts, &config)?;
    let read = rules::Read {
        config: &config,
        written: &written,
        policy: &new.setup.policy,
        access: new.control.as_ref().map(control::Prepared::access),
        keys: &new.keys,
    };
    let (rules, now) = (read.rules(), parts.plane.clock.now());
    let way = changes::offer(&parts.book, &rules, cause, now).map_err(RunError::Store)?;
    match way {
        Way::Free(by) => {
            // Written first: should the process die now, the next start finds in force what it reads.
            changes::take(&parts.book, &rules, by.as_deref(), now).map_err(RunError::Store)?;
        }
        Way::Waits(change) => {
            // Certificates are no rules: they run out, whatever people think of the rest.
            parts.tls.put(TlsConfigs::new(&parts.config.load())?);
            return Ok(Reloaded::Waits(change));
        }
        Way::Others => {
            let why = "the files are others than those that people agreed to: send SIGHUP to have them voted on";
            return Err(RunError::build("access.reload_votes", why));
        }
    }
    parts.config.store(Arc::new(config));
    Ok(Reloaded::Taken(put(parts, new)))
}

/// Puts it in place: nothing here can fail. Returns the digest of the route policy.
fn put(parts: &Parts, new: Prepared) -> String {
    if let (Some(control), Some(made)) = (parts.control.get(), new.control) {
        control.put(made);
    }
    parts.tls.put(new.tls);
    parts.keys.store(new.keys);
    let digest = new.setup.policy.digest().to_owned();
    let rows = new.setup.policy.rows();
    let plane = &parts.plane;
    let told = i64::try_from(rows).unwrap_or(i64::MAX);
    plane.metrics.policy_rows.set(told);
    plane.journal.note(&Event::PolicyLoaded {
        digest: &digest,
        rows: rows as u64,
    });
    plane
        .journal
        .note(&Event::ConfigReloaded { digest: &digest });
    plane.current.store(Arc::new(new.setup));
    digest
}
