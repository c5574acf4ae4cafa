//! Group commit: one thread syncs for all openings that wait (`durability = "disk"`).

use super::core::Core;
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How soon records that nobody waits for (closings, notes) are synced.
const IDLE: Duration = Duration::from_millis(100);

/// Runs until the journal stops and all is synced or cannot be.
pub(super) fn run(core: &Core) {
    let mut writer = core.writer.lock();
    loop {
        let stopping = core.stopping.load(Ordering::Acquire);
        if !writer.has_waiters() && !stopping {
            core.wake.wait_for(&mut writer, IDLE);
        }
        if writer.is_synced() {
            if stopping {
                return;
            }
            continue;
        }
        if let Some(commit) = writer.begin_commit() {
            let synced = MutexGuard::unlocked(&mut writer, || commit.medium.sync());
            writer.end_commit(commit, synced);
        } else if stopping {
            return;
        }
    }
}
