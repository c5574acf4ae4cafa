//! The right edge of a tree: the hashes of the tiles that are not full yet. That is all that is needed to append and to
//! tell the root: at most 255 hashes a level.

use super::layout::{HEIGHT, WIDTH, hashes};
use std::fmt;
use tlog_tiles::{Error, Hash, HashReader, Tile, split_stored_hash_index, tree_hash};

/// A tree's edge in memory.
#[derive(Clone, Default)]
pub(super) struct Edge {
    size: u64,
    /// By level of tiles: the hashes of its last tile, which is not full.
    rows: Vec<Vec<Hash>>,
}

/// A tile that an append has made full.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) level: u8,
    pub(super) n: u64,
    pub(super) hashes: Vec<Hash>,
}

impl Edge {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The edge of a tree of `size` leaves, whose last hashes at each level `row` tells. Nothing is checked but their
    /// number; compare the root.
    pub(super) fn load<E>(
        size: u64,
        mut row: impl FnMut(u8, u64, usize) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut rows = Vec::new();
        let mut level = 0;
        while hashes(level, size) > 0 {
            let all = hashes(level, size);
            let count = usize::try_from(all % WIDTH).unwrap_or(0);
            rows.push(match count {
                0 => Vec::new(),
                _ => row(level, all / WIDTH, count)?,
            });
            level += 1;
        }
        Ok(Self { size, rows })
    }

    /// Adds a leaf's hash. The tiles that are full now, from below.
    pub(super) fn append(&mut self, leaf: Hash) -> Vec<Full> {
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0_u8..8 {
            let at = usize::from(level);
            if self.rows.len() <= at {
                self.rows.push(Vec::new());
            }
            let n = hashes(level, self.size) / WIDTH;
            let Some(row) = self.rows.get_mut(at) else {
                break;
            };
            row.push(hash);
            if (row.len() as u64) < WIDTH {
                break;
            }
            let hashes = std::mem::take(row);
            hash = Tile::subtree_hash(&concat(&hashes));
            full.push(Full { level, n, hashes });
        }
        self.size += 1;
        full
    }

    /// The tiles of the edge: level, number, hashes.
    pub(super) fn partial(&self) -> impl Iterator<Item = (u8, u64, &[Hash])> {
        let filled = self
            .rows
            .iter()
            .zip(0_u8..)
            .filter(|(row, _)| !row.is_empty());
        filled.map(|(row, level)| (level, hashes(level, self.size) / WIDTH, row.as_slice()))
    }

    /// The Merkle tree hash (RFC 6962 §2.1).
    pub(super) fn root(&self) -> Result<Hash, Error> {
        tree_hash(self.size, self)
    }
}

impl HashReader for Edge {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let one = |index: &u64| {
            let (level, n) = split_stored_hash_index(*index);
            let (row, inside) = (level / HEIGHT, level % HEIGHT);
            let first = n << inside;
            let found = self.rows.get(usize::from(row)).and_then(|hashes| {
                let start = usize::try_from(first % WIDTH).ok()?;
                let is_last = first / WIDTH == self::hashes(row, self.size) / WIDTH;
                hashes.get(start..start + (1 << inside)).filter(|_| is_last)
            });
            let part = found.ok_or(Error::IndexesNotInTree)?;
            Ok(Tile::subtree_hash(&concat(part)))
        };
        indexes.iter().map(one).collect()
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Hashes as a tile's bytes.
pub(super) fn concat(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * hashes.len());
    for hash in hashes {
        bytes.extend_from_slice(&hash.0);
    }
    bytes
}

/// A tile's bytes as hashes; bytes that are no whole hash are left out.
pub(super) fn split(bytes: &[u8]) -> Vec<Hash> {
    let (whole, _) = bytes.as_chunks::<32>();
    whole.iter().map(|hash| Hash(*hash)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tlog_tiles::{node_hash, record_hash};

    /// RFC 6962 §2.1, written down as it stands there.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => tlog_tiles::EMPTY_HASH,
            [one] => *one,
            many => {
                let half = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(half);
                node_hash(by_definition(left), by_definition(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| record_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_rfc_at_every_size() {
        let leaves = leaves(600);
        let mut edge = Edge::default();
        for (n, leaf) in leaves.iter().enumerate() {
            assert_eq!(
                edge.root().expect("root"),
                by_definition(&leaves[..n]),
                "{n}"
            );
            edge.append(*leaf);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// An edge read back from tiles goes on as the one that made them.
        #[test]
        fn a_loaded_edge_goes_on_the_same(size in 1_u64..70_000, more in 1_u64..600) {
            let mut edge = Edge::default();
            let mut full = std::collections::HashMap::new();
            for leaf in leaves(size) {
                for tile in edge.append(leaf) {
                    prop_assert_eq!(tile.hashes.len() as u64, WIDTH);
                    full.insert((tile.level, tile.n), tile.hashes);
                }
            }
            let rows: std::collections::HashMap<_, _> =
                edge.partial().map(|(l, n, row)| ((l, n), row.to_vec())).collect();
            let mut loaded = Edge::load(size, |l, n, count| {
                let row = rows.get(&(l, n)).cloned().ok_or(())?;
                if row.len() == count { Ok(row) } else { Err(()) }
            }).map_err(|()| TestCaseError::fail("a row is missing"))?;
            prop_assert_eq!(loaded.root().ok(), edge.root().ok());
            for n in 0..more {
                let leaf = record_hash(&n.to_le_bytes());
                prop_assert_eq!(loaded.append(leaf).len(), edge.append(leaf).len());
            }
            prop_assert_eq!(loaded.root().ok(), edge.root().ok());
        }
    }
}
