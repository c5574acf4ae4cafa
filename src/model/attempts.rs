//! Guessing is slow here: after so many tries to prove who they are, an address waits out its minute.

use super::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;

const MINUTE: i64 = 60_000;

/// Failed tries by address, within one minute from the first.
#[derive(Debug, Default)]
pub struct Attempts {
    by_address: Mutex<HashMap<IpAddr, (Timestamp, u32)>>,
}

impl Attempts {
    /// Whether `address` may try (again).
    pub fn may_try(&self, address: IpAddr, max: u32, now: Timestamp) -> bool {
        let by_address = self.by_address.lock();
        !by_address
            .get(&key(address))
            .is_some_and(|(since, count)| is_current(*since, now) && *count >= max)
    }

    /// Counts a try that failed. Of more than `max` addresses those whose minute is over go first.
    /// Returns whether others had to go, too.
    pub fn failed(&self, address: IpAddr, max: usize, now: Timestamp) -> bool {
        let mut by_address = self.by_address.lock();
        let is_full =
            |known: &HashMap<IpAddr, _>| known.len() >= max && !known.contains_key(&key(address));
        if is_full(&by_address) {
            by_address.retain(|_, (since, _)| is_current(*since, now));
        }
        let overflows = is_full(&by_address);
        if overflows {
            // An attacker with that many addresses gets no more out of this table than memory we do not have.
            by_address.clear();
        }
        let entry = by_address.entry(key(address)).or_insert((now, 0));
        if !is_current(entry.0, now) {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        overflows
    }
}

fn is_current(since: Timestamp, now: Timestamp) -> bool {
    (0..MINUTE).contains(&(now.millis() - since.millis()))
}

/// One customer's IPv6 network is one address here: a /64 has too many to count singly.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_failures_is_enough() -> Result<(), std::net::AddrParseError> {
        let attempts = Attempts::default();
        let (one, same, other) = (
            "2001:db8::1".parse()?,
            "2001:db8::2".parse()?,
            "2001:db8:0:1::1".parse()?,
        );
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        attempts.failed(one, 10, at(0));
        assert!(attempts.may_try(one, 2, at(1)));
        attempts.failed(same, 10, at(1));
        assert!(!attempts.may_try(one, 2, at(59)));
        assert!(attempts.may_try(other, 2, at(59)));
        assert!(attempts.may_try(one, 2, at(60)));
        Ok(())
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let failed = |n: u32, millis| {
            attempts.failed(IpAddr::V4(n.into()), 10, Timestamp::from_millis(millis))
        };
        for n in 0..10 {
            assert!(!failed(n, 0) && !failed(n, 0));
        }
        // A minute later their places are free, and no live one is lost.
        assert!(!failed(10, MINUTE));
        for n in 11..20 {
            assert!(!failed(n, MINUTE));
        }
        assert!(failed(20, MINUTE));
        assert_eq!(attempts.by_address.lock().len(), 1);
    }
}
