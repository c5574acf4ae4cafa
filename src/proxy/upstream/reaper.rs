//! Closes the connections of a lane that stay unused.

use super::shared::Shared;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Closes connections that stay unused; ends when none is left, or with the upstream.
pub(super) fn start_reaper(shared: &Arc<Shared>, lane: usize) {
    let weak: Weak<Shared> = Arc::downgrade(shared);
    let idle = shared.settings.timeouts.pool_idle;
    // Half the time: a connection outlives its limit by at most that.
    let pause = (idle / 2).max(Duration::from_millis(10));
    let reaper = async move {
        loop {
            tokio::time::sleep(pause).await;
            let Some(shared) = weak.upgrade() else { return };
            if !shared.lane(lane).prune(idle) {
                return;
            }
        }
    };
    // A body may be dropped while its runtime ends: then nothing is kept for long anyway.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(reaper);
    }
}
