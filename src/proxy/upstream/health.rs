//! Which address gets the next request: in turn or by load, among those that do not rest.

use super::settings::{Address, Health};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// An address and what connecting to it taught.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: Address,
    /// Whether TLS agreed on HTTP/2 there last time.
    pub(super) speaks_http2: std::sync::atomic::AtomicBool,
    failures: AtomicU32,
    /// Milliseconds after the upstream's start; 0 when it does not rest.
    rests_until: AtomicU64,
}

impl Target {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            speaks_http2: std::sync::atomic::AtomicBool::new(false),
            failures: AtomicU32::new(0),
            rests_until: AtomicU64::new(0),
        }
    }

    /// A connection was made: whatever was before is forgotten.
    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.rests_until.store(0, Ordering::Relaxed);
    }

    /// A connect failed or timed out at `now`, milliseconds after the upstream's start.
    /// Returns for how long the address rests, if it does.
    pub(super) fn failed(&self, now: u64, health: &Health) -> Option<Duration> {
        let failures = self
            .failures
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        let beyond = failures.checked_sub(health.failures.max(1))?;
        // 2^20 rests of a millisecond are already 17 minutes: the cap rules long before.
        let rest = health
            .rest
            .saturating_mul(1 << beyond.min(20))
            .min(health.max_rest);
        let until = now.saturating_add(millis(rest)).max(1);
        self.rests_until.store(until, Ordering::Relaxed);
        Some(rest)
    }

    pub(super) fn rests(&self, now: u64) -> bool {
        self.rests_until.load(Ordering::Relaxed) > now
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since `start`.
pub(super) fn since(start: Instant) -> u64 {
    millis(start.elapsed())
}

/// The next target: among the healthy and untried the one with the least `load`, `turn` deciding between
/// equals; if all of them rest, the one whose rest ends first; if all were tried, any.
pub(super) fn pick(
    targets: &[Target],
    turn: usize,
    now: u64,
    tried: &[usize],
    load: impl Fn(usize) -> usize,
) -> usize {
    let count = targets.len().max(1);
    let order = (0..count).map(|step| turn.wrapping_add(step) % count);
    let rank = |index: &usize| {
        let target = targets.get(*index);
        let until = target.map_or(0, |t| t.rests_until.load(Ordering::Relaxed));
        let rest = if until > now { until } else { 0 };
        (tried.contains(index), rest, load(*index))
    };
    order.min_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(count: u16) -> Vec<Target> {
        (0..count)
            .map(|n| Target::new(Address::Tcp("app".into(), n + 1)))
            .collect()
    }

    #[test]
    fn takes_turns_and_skips_the_tried() {
        let all = targets(3);
        let turns: Vec<_> = (0..4).map(|n| pick(&all, n, 5, &[], |_| 0)).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
        assert_eq!(pick(&all, 0, 5, &[0], |_| 0), 1);
        assert_eq!(pick(&all, 0, 5, &[0, 1, 2], |_| 0), 0);
    }

    #[test]
    fn the_least_loaded_wins() {
        let all = targets(3);
        assert_eq!(pick(&all, 0, 5, &[], |n| [4, 2, 9][n]), 1);
    }

    #[test]
    fn rests_after_the_third_failure_and_twice_as_long_after_the_fourth() {
        let health = Health::default();
        let all = targets(2);
        assert_eq!(all[0].failed(0, &health), None);
        assert_eq!(all[0].failed(0, &health), None);
        assert_eq!(all[0].failed(0, &health), Some(Duration::from_secs(10)));
        assert!(all[0].rests(9_999) && !all[0].rests(10_000));
        assert_eq!(pick(&all, 0, 1, &[], |_| 0), 1);
        assert_eq!(
            all[0].failed(10_000, &health),
            Some(Duration::from_secs(20))
        );
        for _ in 0..40 {
            assert!(all[0].failed(10_000, &health) <= Some(health.max_rest));
        }
        all[0].succeeded();
        assert!(!all[0].rests(0));
    }

    #[test]
    fn when_all_rest_the_one_that_ends_first_is_tried() {
        let health = Health {
            failures: 1,
            ..Health::default()
        };
        let all = targets(2);
        all[0].failed(500, &health);
        all[1].failed(100, &health);
        assert_eq!(pick(&all, 0, 600, &[], |_| 0), 1);
    }
}
