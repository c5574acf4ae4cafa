//! Sees to it that what must stop stops, within a tick: what another process ended, what expired or fell idle, and everything when the
//! wall clock was set back. It only reads, on a thread of its own, so no write to the store ever keeps it waiting.

use super::over::{expired, idle_at};
use super::shared::Shared;
use super::timers::Timers;
use crate::model::{SessionId, Timestamp};
use crate::store::{GrantStore, StoreError, Version};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

pub(super) struct Lookout {
    store: Arc<dyn GrantStore>,
    shared: Arc<Shared>,
    version: Version,
    revision: i64,
    /// The highest seen of wall clock less uptime, milliseconds.
    clock_base: i64,
}

impl Lookout {
    /// Looks for what changes after `revision`.
    pub(super) fn new(
        store: Arc<dyn GrantStore>,
        shared: Arc<Shared>,
        version: Version,
        revision: i64,
    ) -> Self {
        Self {
            store,
            shared,
            version,
            revision,
            clock_base: i64::MIN,
        }
    }

    /// Looks every tick until the other end of `stop` is gone.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        let tick = self.shared.settings.tick();
        while stop.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            self.look();
        }
    }

    /// Ends what is over by now. Whatever fails leaves the lease running; the keeper meets the same failure and says so.
    pub(super) fn look(&mut self) {
        self.check_clock();
        self.fire_timers();
        if self.read().is_ok() {
            self.shared.note_sync();
        }
    }

    fn read(&mut self) -> Result<(), StoreError> {
        let version = self.store.version()?;
        if version == self.version {
            return Ok(());
        }
        let changes = self.store.changes_since(self.revision)?;
        for stored in &changes.rows {
            self.shared.cut(stored);
        }
        self.revision = changes.revision;
        self.version = version;
        Ok(())
    }

    fn fire_timers(&mut self) {
        let now = self.shared.clock.now();
        while let Some(id) = due(&self.shared.expiry, now) {
            if let Some(session) = self.shared.get(id) {
                let ended = expired(session.grant.expires_at);
                self.shared.end(&session, ended);
            }
        }
        let idle = self.shared.settings.idle;
        while let Some(id) = due(&self.shared.idle, now) {
            let Some(session) = self.shared.get(id) else {
                continue;
            };
            let at = session.last_used().plus(idle);
            if at > now {
                self.shared.idle.lock().add(at, id);
                continue;
            }
            self.shared.end(&session, idle_at(now));
        }
    }

    /// Compares the wall clock with the one that nobody sets. A clock that went back would give
    /// ended time to grants again.
    fn check_clock(&mut self) {
        let uptime = i64::try_from(self.shared.uptime()).unwrap_or(i64::MAX);
        let offset = self.shared.clock.now().millis().saturating_sub(uptime);
        self.clock_base = self.clock_base.max(offset);
        let behind = u64::try_from(self.clock_base.saturating_sub(offset)).unwrap_or(0);
        let behind = Duration::from_millis(behind);
        let bad = behind > self.shared.settings.max_clock_step;
        self.shared
            .note_clock(if bad { behind } else { Duration::ZERO });
    }
}

/// The next one whose moment has come. A function, so that the lock is not held while it is dealt with.
fn due(timers: &Mutex<Timers>, now: Timestamp) -> Option<SessionId> {
    timers.lock().pop_due(now)
}

#[cfg(test)]
mod tests {
    use crate::model::{Binding, Clock, EndCause, Secret, SessionId};
    use crate::store::conformance::{NOW, Outcome, grant};
    use crate::store::live::{Live, Redeemed, Settings, Starter};
    use crate::store::sqlite::{self, Sqlite};
    use crate::store::{GrantStore as _, Issue, Target};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    /// Far beyond what anything here should take, for machines that do much else.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn started(live: &Live, cli: &Sqlite) -> Result<Redeemed, Box<dyn std::error::Error>> {
        let (code, session) = (Secret::fresh()?, SessionId::fresh());
        cli.issue(&Issue {
            grant: grant(),
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: live.clock().now().plus(Duration::from_secs(30)),
        })?;
        let redeemed = live.redeem(session, &code, Starter::default());
        Ok(redeemed.await?)
    }

    #[tokio::test]
    async fn nothing_that_ends_waits_for_a_write() -> Outcome {
        let dir = tempfile::tempdir()?;
        let file = sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        };
        let cli = Sqlite::open(&file)?;
        let clock = Arc::new(AtomicI64::new(NOW.millis() + 1000));
        let clock_here = Clock::Fixed(Arc::clone(&clock));
        let store = Arc::new(Sqlite::open(&file)?);
        let (live, _events) = Live::open(store, clock_here, Settings::default())?;
        let (revoked, expires) = (started(&live, &cli).await?, started(&live, &cli).await?);
        // The store's thread is in a write for as long as the test likes.
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let held = live.with_store(move |_| wait.recv().is_err());
        let mut held = Box::pin(held);
        assert!(futures_util::poll!(held.as_mut()).is_pending());
        let id = revoked.session.id;
        cli.revoke(&Target::Session(id), "cli:root", NOW)?;
        tokio::time::timeout(PATIENCE, revoked.session.ended().cancelled()).await?;
        assert_eq!(
            revoked.session.ending().map(|ended| ended.cause),
            Some(EndCause::Revoked)
        );
        let until = expires.session.grant.expires_at;
        clock.store(until.millis(), Ordering::Relaxed);
        tokio::time::timeout(PATIENCE, expires.session.ended().cancelled()).await?;
        assert_eq!(
            expires.session.ending().map(|ended| ended.cause),
            Some(EndCause::Expired)
        );
        assert!(live.take_remains(id).is_none(), "neither was used");
        drop(done);
        assert!(held.await?);
        live.stop();
        Ok(())
    }
}
