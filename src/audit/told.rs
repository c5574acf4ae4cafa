//! What the notary is told of each record as it is written, so that it has neither to read the record again nor to
//! believe what stands on the disk by then: what is signed is what was written.
//!
//! The queue is bounded. What does not fit is read from the segments, like everything from before the start.

use super::chain::Hex;
use super::leaf;
use std::collections::VecDeque;
use std::sync::Arc;

/// A record as the trees take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) seq: u64,
    pub(super) hash: Hex,
    pub(super) tenant: Option<Arc<str>>,
}

/// Whose record it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    /// As a reader of the record finds it there.
    Tenant(&'a Arc<str>),
    /// Nobody's: nothing in it names a tenant.
    Nobody,
    /// What the record itself says.
    AsWritten,
}

/// Leaves of the records that are written, in order, until the notary takes them.
#[derive(Debug, Default)]
pub(super) struct Told {
    queue: VecDeque<Leaf>,
    /// At most so many; 0 where nobody listens.
    limit: usize,
}

impl Told {
    /// From now on, for somebody who takes them.
    pub(super) fn listen(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The leaf of a line that is sealed, if anybody wants to know.
    pub(super) fn leaf(&self, seq: u64, hash: Hex, line: &[u8], whose: Whose<'_>) -> Option<Leaf> {
        if self.limit == 0 {
            return None;
        }
        let read = || leaf::tenant_of(line.strip_suffix(b"\n").unwrap_or(line));
        let tenant = match whose {
            Whose::Tenant(tenant) => Some(Arc::clone(tenant)),
            Whose::Nobody => None,
            Whose::AsWritten => read().map(|tenant| Arc::from(&*tenant)),
        };
        debug_assert_eq!(tenant.as_deref(), read().as_deref());
        Some(Leaf { seq, hash, tenant })
    }

    /// For records that are in the file now. Beyond the limit they are forgotten, and read by whoever misses them.
    pub(super) fn keep(&mut self, leaves: impl Iterator<Item = Leaf>) {
        let room = self.limit.saturating_sub(self.queue.len());
        self.queue.extend(leaves.take(room));
    }

    /// Gives all there are for an empty queue.
    pub(super) fn give(&mut self, to: &mut VecDeque<Leaf>) {
        to.clear();
        std::mem::swap(&mut self.queue, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::GENESIS;

    fn told(told: &Told, seq: u64) -> Option<Leaf> {
        let line = b"{\"locum\":{\"tenant_id\":\"acme\"}}\n";
        told.leaf(seq, GENESIS, line, Whose::AsWritten)
    }

    #[test]
    fn nobody_is_told_before_somebody_listens_and_nobody_more_than_the_limit() {
        let mut queue = Told::default();
        assert_eq!(told(&queue, 1), None);
        queue.listen(2);
        let leaves: Vec<Leaf> = (1..=3).filter_map(|seq| told(&queue, seq)).collect();
        assert_eq!(leaves.len(), 3);
        assert_eq!(leaves[0].tenant.as_deref(), Some("acme"));
        queue.keep(leaves.into_iter());
        let mut taken = VecDeque::new();
        queue.give(&mut taken);
        assert_eq!(
            taken.iter().map(|leaf| leaf.seq).collect::<Vec<_>>(),
            [1, 2]
        );
        queue.keep(told(&queue, 4).into_iter());
        queue.give(&mut taken);
        assert_eq!(taken.iter().map(|leaf| leaf.seq).collect::<Vec<_>>(), [4]);
    }
}
