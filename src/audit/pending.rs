//! Records that are chained and not yet written: closings, which nobody waits for. They go out with the next record, so
//! that an exchange costs one write and not two.

use super::chain::{Hex, Line};
use super::told::Leaf;
use std::vec::Drain;

/// The most bytes that are pending; what would go beyond is written at once.
pub(super) const MAX_PENDING: usize = 64 << 10;

/// Whole lines, in order, and how many.
#[derive(Debug, Default)]
pub(super) struct Pending {
    lines: Vec<u8>,
    records: u64,
    /// What the notary is told of them once they are written.
    leaves: Vec<Leaf>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    pub(super) fn push(&mut self, line: &[u8], leaf: Option<Leaf>) {
        self.lines.extend_from_slice(line);
        self.records += 1;
        self.leaves.extend(leaf);
    }

    /// Takes the last line, of `bytes`, away again: the record `seq`.
    pub(super) fn pop(&mut self, bytes: usize, seq: u64) {
        self.lines.truncate(self.lines.len().saturating_sub(bytes));
        self.records = self.records.saturating_sub(1);
        self.leaves.pop_if(|leaf| leaf.seq == seq);
    }

    /// What the notary is told of all that is pending.
    pub(super) fn leaves(&mut self) -> Drain<'_, Leaf> {
        self.leaves.drain(..)
    }

    /// Forgets all; returns how many records and bytes there were.
    pub(super) fn clear(&mut self) -> (u64, u64) {
        let were = (self.records, self.lines.len() as u64);
        self.lines.clear();
        self.lines.shrink_to(MAX_PENDING);
        self.records = 0;
        self.leaves.clear();
        were
    }

    /// The hash of the last record that was written, if any are pending: what the first of them names.
    pub(super) fn before(&self) -> Option<Hex> {
        let first = self.lines.split(|byte| *byte == b'\n').next()?;
        Line::parse(first).map(|line| *line.prev)
    }
}
