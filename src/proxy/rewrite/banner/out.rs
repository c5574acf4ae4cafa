//! What leaves a document, in pieces: what came in and passes is lent from the piece that it came in, not copied, and
//! so is what all documents of a session share.

use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;

/// Shorter ones are copied together: a piece of its own costs more than so many bytes.
const LENT: usize = 512;

/// The pieces, in their order.
#[derive(Debug, Default)]
pub(super) struct Out {
    pieces: VecDeque<Bytes>,
    /// Copied, and not yet a piece.
    own: Vec<u8>,
    /// The piece under work.
    source: Bytes,
    /// What of it passes, and is not yet a piece.
    run: Range<usize>,
}

impl Out {
    /// From here on, slices of `source` pass without a copy.
    pub(super) fn lend(&mut self, source: &Bytes) {
        self.close_run();
        self.source = source.clone();
    }

    /// Adds bytes; those that lie in what is lent stay there.
    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        let Some(range) = self.place(bytes) else {
            self.close_run();
            self.own.extend_from_slice(bytes);
            return;
        };
        if self.run.end == range.start {
            self.run.end = range.end;
        } else {
            self.close_run();
            self.run = range;
        }
    }

    /// Adds what is shared.
    pub(super) fn put(&mut self, bytes: &Bytes) {
        self.close_run();
        if bytes.len() < LENT {
            self.own.extend_from_slice(bytes);
        } else {
            self.close_own();
            self.pieces.push_back(bytes.clone());
        }
    }

    /// All of it.
    pub(super) fn take(mut self) -> VecDeque<Bytes> {
        self.close_run();
        self.close_own();
        self.pieces
    }

    /// Where in `source` the bytes lie, if they do.
    fn place(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let start = bytes.as_ptr().addr();
        let start = start.checked_sub(self.source.as_ptr().addr())?;
        let end = start.checked_add(bytes.len())?;
        (end <= self.source.len()).then_some(start..end)
    }

    fn close_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.len() < LENT {
            self.own
                .extend_from_slice(self.source.get(run).unwrap_or_default());
        } else {
            self.close_own();
            self.pieces.push_back(self.source.slice(run));
        }
    }

    fn close_own(&mut self) {
        if !self.own.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.own).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_passes_is_not_copied() {
        let page = Bytes::from(vec![b'x'; 5000]);
        let shared = Bytes::from(vec![b's'; 2000]);
        let mut out = Out::default();
        out.lend(&page);
        out.extend_from_slice(&page[..1000]);
        out.extend_from_slice(&page[1000..2000]);
        out.put(&shared);
        out.extend_from_slice(&page[2010..]);
        let pieces = out.take();
        let at: Vec<_> = pieces.iter().map(|it| (it.as_ptr(), it.len())).collect();
        let in_page = |start: usize| page[start..].as_ptr();
        assert_eq!(
            at,
            [
                (in_page(0), 2000),
                (shared.as_ptr(), 2000),
                (in_page(2010), 2990)
            ]
        );
    }

    proptest! {
        /// Whatever is lent, copied or shared: the bytes are those that were given, in their order.
        #[test]
        fn it_is_what_was_given(
            steps in proptest::collection::vec((0_u8..4, 0_usize..3000, 0_usize..3000), 0..24),
        ) {
            let sources: Vec<Bytes> = (0..3_u8)
                .map(|n| (0..3000_u32).map(|at| n ^ at.to_le_bytes()[0]).collect())
                .collect();
            let (mut out, mut want) = (Out::default(), Vec::new());
            for (what, from, to) in steps {
                let source = &sources[from % 3];
                let range = from.min(to)..from.max(to);
                match what {
                    0 => out.lend(source),
                    1 => {
                        out.extend_from_slice(&source[range.clone()]);
                        want.extend_from_slice(&source[range]);
                    }
                    2 => {
                        out.put(&source.slice(range.clone()));
                        want.extend_from_slice(&source[range]);
                    }
                    _ => {
                        let copy = source[range].to_vec();
                        out.extend_from_slice(&copy);
                        want.extend_from_slice(&copy);
                    }
                }
            }
            let pieces = out.take();
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.into_iter().flatten().collect::<Vec<u8>>(), want);
        }
    }
}
