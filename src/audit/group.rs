//! Group commit in the writer: openings that wait for `fdatasync`, and what becomes of them (`durability = "disk"`).

use super::counters::{add, set};
use super::error::Refused;
use super::medium::Medium;
use super::writer::Writer;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

const SYNC_FAILED: &str = "fdatasync failed, so what was written may be lost";

/// A sync under way.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) medium: Arc<dyn Medium>,
    first: u64,
    len: u64,
    last: u64,
    waiters: Vec<oneshot::Sender<Result<(), Refused>>>,
}

impl Writer {
    /// Registers an opening that waits until the record just written is on disk.
    pub(super) fn wait(&mut self) -> oneshot::Receiver<Result<(), Refused>> {
        let (send, receive) = oneshot::channel();
        self.waiters.push(send);
        receive
    }

    /// Whether the committer has nothing to do.
    pub(super) fn is_synced(&self) -> bool {
        self.waiters.is_empty()
            && self.pending.is_empty()
            && self
                .segment
                .as_ref()
                .is_none_or(|s| s.synced == s.len || s.poisoned)
    }

    pub(super) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Begins a group commit of all that was written so far. `None` where there is nothing to sync or no use in trying.
    pub(super) fn begin_commit(&mut self) -> Option<Commit> {
        if self.outage.is_none()
            && let Err(error) = self.make_room(0).and_then(|()| self.write_pending())
        {
            self.fail(error, 0);
        }
        let usable = self.segment.as_ref().filter(|s| !s.poisoned);
        let Some(segment) = usable else {
            self.refuse_waiters();
            return None;
        };
        self.syncing = true;
        Some(Commit {
            medium: Arc::clone(&segment.medium),
            first: segment.first,
            len: segment.len,
            last: self.last_written(),
            waiters: std::mem::take(&mut self.waiters),
        })
    }

    fn refuse_waiters(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        let waiters = std::mem::take(&mut self.waiters);
        let refused = self.fail(io::Error::other(SYNC_FAILED), waiters.len() as u64);
        add(&self.counters.refused, waiters.len() as u64);
        for waiter in waiters {
            // Whoever waited may be gone: its receipt closes itself.
            let _ = waiter.send(Err(refused.clone()));
        }
    }

    /// Ends a group commit: those who waited go on, or are refused with all that came since.
    pub(super) fn end_commit(&mut self, commit: Commit, synced: io::Result<()>) {
        self.syncing = false;
        add(&self.counters.syncs, 1);
        let segment = self.segment.as_mut().filter(|s| s.first == commit.first);
        // A sync elsewhere may have taken the kernel's one report of an error.
        let lost = segment.as_ref().is_some_and(|s| s.poisoned);
        let synced = synced.and(if lost {
            Err(io::Error::other(SYNC_FAILED))
        } else {
            Ok(())
        });
        match synced {
            Ok(()) => {
                if let Some(segment) = segment {
                    segment.synced = segment.synced.max(commit.len);
                }
                set(&self.counters.sequence, commit.last);
                for waiter in commit.waiters {
                    let _ = waiter.send(Ok(()));
                }
            }
            Err(error) => {
                if let Some(segment) = segment {
                    segment.poisoned = true;
                }
                self.fail(error, 0);
                self.waiters.extend(commit.waiters);
                self.refuse_waiters();
            }
        }
    }
}
