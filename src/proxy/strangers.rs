//! Refusals of requests behind which nobody stands: so many a second are recorded one by one, the rest are counted. Otherwise
//! anybody who can reach the listener could fill the journal's disk.

use crate::model::Timestamp;
use parking_lot::Mutex;
use std::net::IpAddr;

/// How many addresses are told apart in one count.
const ADDRESSES: usize = 32;

/// A second, by the wall clock. Milliseconds.
const SECOND: i64 = 1000;

/// Counts by second; shared by all workers.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    second: i64,
    /// Recorded one by one in this second.
    recorded: u32,
    counted: Option<Counted>,
}

/// Refusals that have no record of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    /// When the first of them was.
    pub since: Timestamp,
    pub refusals: u64,
    pub reasons: Vec<(&'static str, u64)>,
    /// The first that came, and how many of them came from each.
    pub addresses: Vec<(IpAddr, u64)>,
    /// Those from all other addresses.
    pub elsewhere: u64,
}

/// What becomes of a stranger's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It gets a record of its own.
    Singly,
    /// It is in the next count.
    Counted,
}

impl Strangers {
    /// Counts a refusal for `reason` where `max` were recorded in this second already. `max` 0: never.
    pub fn keep(&self, max: u32, now: Timestamp, reason: &'static str, address: IpAddr) -> Kept {
        if max == 0 {
            return Kept::Singly;
        }
        let mut counts = self.0.lock();
        let second = now.millis().div_euclid(SECOND);
        if counts.second != second {
            (counts.second, counts.recorded) = (second, 0);
        }
        if counts.recorded < max {
            counts.recorded += 1;
            return Kept::Singly;
        }
        let counted = counts.counted.get_or_insert_with(|| Counted {
            since: now,
            refusals: 0,
            reasons: Vec::new(),
            addresses: Vec::new(),
            elsewhere: 0,
        });
        counted.add(reason, address.to_canonical());
        Kept::Counted
    }

    /// What was counted since it was last taken.
    pub fn take(&self) -> Option<Counted> {
        self.0.lock().counted.take()
    }
}

impl Counted {
    fn add(&mut self, reason: &'static str, address: IpAddr) {
        self.refusals += 1;
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.reasons.push((reason, 1)),
        }
        let has_room = self.addresses.len() < ADDRESSES;
        match self.addresses.iter_mut().find(|(it, _)| *it == address) {
            Some((_, count)) => *count += 1,
            None if has_room => self.addresses.push((address, 1)),
            None => self.elsewhere += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_is_beyond_is_counted_and_nothing_is_lost() {
        let strangers = Strangers::default();
        let address = |n: u8| IpAddr::from(Ipv4Addr::new(192, 0, 2, n));
        let at = Timestamp::from_millis;
        let keep = |max, millis, reason, n| strangers.keep(max, at(millis), reason, address(n));
        for n in 0..3 {
            assert_eq!(keep(3, 1000 + i64::from(n), "no-session", n), Kept::Singly);
        }
        assert_eq!(strangers.take(), None);
        for n in 0..100 {
            assert_eq!(keep(3, 1500, "no-session", n), Kept::Counted);
        }
        assert_eq!(keep(3, 1999, "head-timeout", 0), Kept::Counted);
        assert_eq!(keep(3, 2000, "no-session", 0), Kept::Singly, "a new second");
        assert_eq!(keep(0, 1999, "no-session", 0), Kept::Singly, "no bound");
        let counted = strangers.take().expect("some were counted");
        assert_eq!((counted.since, counted.refusals), (at(1500), 101));
        assert_eq!(counted.reasons, [("no-session", 100), ("head-timeout", 1)]);
        assert_eq!(counted.addresses.len(), ADDRESSES);
        assert_eq!(counted.addresses.first(), Some(&(address(0), 2)));
        let by_address: u64 = counted.addresses.iter().map(|(_, count)| count).sum();
        assert_eq!(by_address + counted.elsewhere, 101);
        assert_eq!(strangers.take(), None, "told once");
    }
}
