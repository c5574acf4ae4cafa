//! When sessions expire or fall idle: two heaps, looked at each tick.

use crate::model::{SessionId, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Moments by session, earliest first. Entries of sessions that are gone stay until their moment; the
/// caller finds nothing under their id then.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, SessionId)>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Timestamp, id: SessionId) {
        self.heap.push(Reverse((at, id)));
    }

    /// Takes the next one whose moment has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<SessionId> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, id))| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_ones_come_out_in_order() {
        let mut timers = Timers::default();
        let ids: Vec<SessionId> = (0..3u128).map(SessionId::from_bits).collect();
        for (id, at) in ids.iter().zip([30, 10, 20]) {
            timers.add(Timestamp::from_millis(at), *id);
        }
        let now = Timestamp::from_millis(20);
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).collect();
        assert_eq!(due, [ids[1], ids[2]]);
        assert_eq!(timers.pop_due(now), None);
    }
}
