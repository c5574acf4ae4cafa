//! A fast hash, the same in every run and version: the index's tags are made of it.
//!
//! It has no key and resists nobody who looks for two values with one hash: whoever finds such makes a search read some
//! records more. What a search gives back is decided at the record.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of the product: each bit of the one factor reaches all of the outcome.
fn fold(one: u64, two: u64) -> u64 {
    let wide = u128::from(one) * u128::from(two);
    (wide & 0xffff_ffff_ffff_ffff) as u64 ^ (wide >> 64) as u64
}

/// Goes on from `state`, so that a row of texts has one hash.
pub(super) fn hash(state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = fold(state ^ SEED, FOLD ^ bytes.len() as u64);
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), FOLD);
    }
    let rest = rest.iter().fold(0, |word, b| word << 8 | u64::from(*b));
    fold(state ^ rest, FOLD)
}

/// For maps of what clients sent: begins elsewhere in each process, so that nobody can choose texts that meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Running;

    fn build_hasher(&self) -> Running {
        Running(self.0)
    }
}

pub(super) struct Running(u64);

impl Hasher for Running {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(self.0, bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.0 ^= u64::from(number);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn it_is_the_same_in_every_run_and_version() {
        // Another hash needs another `file::VERSION`.
        for (text, expected) in [
            ("", 0x7e23_58a7_8107_bb63),
            ("a", 0xbdc1_b75b_71f8_882b),
            ("acme", 0x482e_a845_5f09_8955),
            ("ada@support.example", 0xea7e_c85c_0ccd_a7f9),
        ] {
            assert_eq!(hash(0, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn texts_that_are_nearly_alike_have_other_hashes() {
        let mut seen = HashSet::new();
        for number in 0..100_000_u32 {
            assert!(seen.insert(hash(0, format!("order:{number}").as_bytes())));
        }
        for length in 0..64 {
            assert!(seen.insert(hash(0, &vec![0; length])), "{length}");
        }
    }
}
