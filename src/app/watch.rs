//! What is looked at again and again while Locum serves: whether somebody set the clock, and how many strangers were refused.

use crate::audit::Event;
use crate::model::Steps;
use crate::proxy::worker::Plane;
use std::sync::Arc;
use std::time::Duration;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How many looks lie between two records of what was counted.
const LOOKS_A_RECORD: u32 = 5;

/// Looks until the runtime ends. A step of more than `clock_step` is recorded.
pub(super) async fn watch(plane: Arc<Plane>, clock_step: Duration) {
    let mut steps = Steps::new(clock_step, &plane.clock);
    let mut looks = tokio::time::interval(LOOK);
    for look in 1_u32.. {
        looks.tick().await;
        if let Some(step) = steps.look(&plane.clock) {
            plane.metrics.clock_steps.inc();
            plane.journal.note(&Event::ClockStepped(step));
            tracing::warn!(
                by_ms = step.millis(),
                now = %step.wall,
                expected = %step.expected,
                "the system's clock was set"
            );
        }
        if look.is_multiple_of(LOOKS_A_RECORD) {
            tell_of_strangers(&plane);
        }
    }
}

/// Records what was counted of strangers since the last time, if anything was.
pub(super) fn tell_of_strangers(plane: &Plane) {
    let until = plane.clock.now();
    let Some(counted) = plane.strangers.take() else {
        return;
    };
    let addresses: Vec<(String, u64)> = counted
        .addresses
        .iter()
        .map(|(address, count)| (address.to_string(), *count))
        .collect();
    let addresses: Vec<(&str, u64)> = addresses
        .iter()
        .map(|(address, count)| (address.as_str(), *count))
        .collect();
    plane.journal.note(&Event::RefusalsCounted {
        since: counted.since,
        until,
        refusals: counted.refusals,
        reasons: &counted.reasons,
        addresses: &addresses,
        elsewhere: counted.elsewhere,
    });
}
