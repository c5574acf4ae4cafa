//! Rate limits in memory: one moment a caller says how full its bucket is (the generic cell rate algorithm).

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Calls that may be made steadily, and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_minute: u32,
    pub burst: u32,
}

impl Rate {
    /// The time in which one call is earned.
    fn interval(self) -> Duration {
        Duration::from_secs(60) / self.per_minute.max(1)
    }
}

/// One bucket for each caller of a kind.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    /// When each caller will have earned everything it spent. In the past: its bucket is full.
    owed: Mutex<HashMap<Option<K>, Instant>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self {
            owed: Mutex::new(HashMap::new()),
        }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes one call out of `caller`'s bucket. `Err`: how long until there is one. At most `most` callers are told
    /// apart at a time; all further ones share a bucket.
    pub(super) fn take(
        &self,
        caller: K,
        rate: Rate,
        most: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut owed = self.owed.lock();
        let mut key = Some(caller);
        if owed.len() >= most && !owed.contains_key(&key) {
            owed.retain(|_, until| *until > now);
            if owed.len() >= most {
                key = None;
            }
        }
        let interval = rate.interval();
        let until = owed.get(&key).copied().unwrap_or(now).max(now) + interval;
        let most_owed = interval * rate.burst.max(1);
        match until.checked_duration_since(now + most_owed) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                owed.insert(key, until);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_minute: 60,
        burst: 3,
    };

    #[test]
    fn a_burst_goes_through_and_then_one_call_a_second() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take("ada", RATE, 10, now), Ok(()));
        }
        let second = Duration::from_secs(1);
        assert_eq!(buckets.take("ada", RATE, 10, now), Err(second));
        assert_eq!(buckets.take("bo", RATE, 10, now), Ok(()), "others go on");
        assert_eq!(buckets.take("ada", RATE, 10, now + second), Ok(()));
        assert!(buckets.take("ada", RATE, 10, now + second).is_err());
        let later = now + Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(buckets.take("ada", RATE, 10, later), Ok(()));
        }
    }

    #[test]
    fn memory_is_bounded_and_strangers_share_what_is_left() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        for caller in 0..5 {
            assert_eq!(buckets.take(caller, RATE, 2, now), Ok(()));
        }
        assert!(
            buckets.take(5, RATE, 2, now).is_err(),
            "the shared one is empty"
        );
        assert!(buckets.owed.lock().len() <= 3);
        let later = now + Duration::from_secs(60);
        assert_eq!(
            buckets.take(9, RATE, 2, later),
            Ok(()),
            "full ones are forgotten"
        );
        assert_eq!(buckets.owed.lock().len(), 1);
    }
}
