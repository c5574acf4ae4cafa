//! A number of bytes that all requests share: what each is judged by is held in memory until it was sent on.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is held now, over all requests.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<AtomicUsize>);

/// One request's part of it; given back when dropped.
#[derive(Debug)]
pub struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

/// Bytes, and their share.
struct Kept {
    bytes: Bytes,
    _share: Share,
}

impl Budget {
    /// A share of nothing yet.
    pub fn share(&self) -> Share {
        Share {
            held: Arc::clone(&self.0),
            bytes: 0,
        }
    }

    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Whether `by` more bytes fit into the `max` of all; if so they are taken.
    pub fn grow(&mut self, by: usize, max: usize) -> bool {
        let before = self.held.fetch_add(by, Ordering::Relaxed);
        if before.saturating_add(by) > max {
            self.held.fetch_sub(by, Ordering::Relaxed);
            return false;
        }
        self.bytes += by;
        true
    }

    /// `bytes`, which hold the share as long as any part of them is there.
    pub fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept {
            bytes,
            _share: self,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fill_it_and_come_back() {
        let budget = Budget::default();
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.grow(6, 10) && other.grow(4, 10));
        assert!(!other.grow(1, 10), "full");
        assert_eq!(budget.held(), 10);
        drop(other);
        assert!(one.grow(4, 10));
        let kept = one.keep(Bytes::from_static(b"0123456789"));
        let part = kept.slice(2..3);
        drop(kept);
        assert_eq!(budget.held(), 10, "a part of it is still there");
        drop(part);
        assert_eq!(budget.held(), 0);
    }
}
