//! What the world tells the process: stop, stop now, read everything again.

use super::serve::Workers;
use super::{Parts, RunError, build};
use crate::audit::Event;
use crate::config::{self, Config};
use crate::proxy::listener::Shutdown;
use crate::proxy::upstream::identity::KeyRing;
use crate::proxy::worker::Plane;
use crate::telemetry::Limit;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

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
            _ = hup.recv() => reload(parts).await,
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

/// Reads configuration, policy and certificates again. Whole or not at all: what is bad is refused and said.
pub(super) async fn reload(parts: &Arc<Parts>) {
    let working = Arc::clone(parts);
    let read = tokio::task::spawn_blocking(move || read_again(&working)).await;
    let plane = &parts.plane;
    match read {
        Ok(Ok(digest)) => {
            plane.metrics.reloaded("taken");
            tracing::info!(
                policy = digest,
                "configuration, policy and certificates were read again"
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

fn read_again(parts: &Parts) -> Result<String, RunError> {
    let config = Config::load(&parts.path, config::environment()).map_err(RunError::Config)?;
    let keys =
        KeyRing::load(&config.keys_dir()).map_err(|why| RunError::build("signing keys", why))?;
    let keys = Arc::new(keys);
    let setup = match build::setup(&config, &keys, &parts.plane.live) {
        Ok(setup) => setup,
        Err(error) => {
            if let RunError::Policy(problems) = &error {
                parts.plane.journal.note(&Event::PolicyRefused {
                    digest: "",
                    problem: &problems.to_string(),
                });
            }
            return Err(error);
        }
    };
    if let Some(control) = parts.control.get() {
        control.reload(&config)?;
    }
    parts.tls.reload(&config)?;
    parts.keys.store(keys);
    let digest = setup.policy.digest().to_owned();
    let rows = setup.policy.rows();
    parts
        .plane
        .metrics
        .policy_rows
        .set(i64::try_from(rows).unwrap_or(i64::MAX));
    parts.plane.journal.note(&Event::PolicyLoaded {
        digest: &digest,
        rows: rows as u64,
    });
    parts
        .plane
        .journal
        .note(&Event::ConfigReloaded { digest: &digest });
    parts.plane.current.store(Arc::new(setup));
    Ok(digest)
}
