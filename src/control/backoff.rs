//! When something that failed is tried again.

use std::time::Duration;

/// Doubling pauses, and an end.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct Backoff {
    pub(in crate::control) first: Duration,
    pub(in crate::control) longest: Duration,
    pub(in crate::control) give_up: Duration,
}

impl Backoff {
    /// The pause after so many tries.
    pub(in crate::control) fn pause(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1).min(20));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let backoff = Backoff {
            first: second,
            longest: second * 10,
            give_up: second,
        };
        let pauses: Vec<u64> = (0..7).map(|n| backoff.pause(n).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.pause(u32::MAX), second * 10);
    }
}
