//! Where the records of a block stand, and which of them have which values: one row of bytes.
//!
//! ```text
//! tags     how many; each: its hash, and a bit for each record that has it
//! records  each: sequence number, segment, offset and time as steps from the one before, and the beginning of its hash
//! ```

use super::facts::Tag;
use super::pointer::Pointer;

/// Most records of a block: each has a bit of a number.
pub(super) const MOST: usize = 64;

/// One record of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pointer: Pointer,
    pub(super) time: i64,
}

impl Place {
    const ZERO: Self = Self {
        pointer: Pointer {
            seq: 0,
            segment: 0,
            offset: 0,
            mark: 0,
        },
        time: 0,
    };
}

/// Writes a block's row. `tags` in order, each once.
pub(super) fn write(tags: &[(Tag, u64)], places: &[Place]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * tags.len() + 16 * places.len() + 16);
    number(&mut out, tags.len() as u64);
    for (tag, records) in tags {
        out.extend_from_slice(&tag.0.to_le_bytes());
        out.extend_from_slice(&records.to_le_bytes());
    }
    let mut before = Place::ZERO;
    for place in places {
        let (to, from) = (&place.pointer, &before.pointer);
        number(&mut out, to.seq.wrapping_sub(from.seq));
        number(&mut out, to.segment.wrapping_sub(from.segment));
        number(&mut out, step(from.offset, to.offset));
        number(
            &mut out,
            step(before.time.cast_unsigned(), place.time.cast_unsigned()),
        );
        out.extend_from_slice(&to.mark.to_le_bytes());
        before = *place;
    }
    out
}

/// The row's records that `wanted` takes; it is given the records that have a tag, as bits. `None`: no such row.
pub(super) fn read(
    row: &[u8],
    wanted: impl FnOnce(&dyn Fn(Tag) -> u64) -> u64,
) -> Option<Vec<Place>> {
    let mut rest = row;
    let count = usize::try_from(take(&mut rest)?).ok()?;
    let (tags, mut rest) = rest.split_at_checked(count.checked_mul(16)?)?;
    let (tags, _) = tags.as_chunks::<16>();
    let bits = wanted(&|tag| {
        let at = tags.binary_search_by_key(&Some(tag), |it| half(it, 0).map(Tag));
        let found = at.ok().and_then(|at| tags.get(at));
        found.and_then(|it| half(it, 8)).unwrap_or(0)
    });
    let mut places = Vec::new();
    let (mut before, mut bit) = (Place::ZERO, 1_u64);
    while !rest.is_empty() && bits >= bit && bit > 0 {
        let from = before.pointer;
        before.pointer.seq = from.seq.wrapping_add(take(&mut rest)?);
        before.pointer.segment = from.segment.wrapping_add(take(&mut rest)?);
        before.pointer.offset = go(from.offset, take(&mut rest)?);
        before.time = go(before.time.cast_unsigned(), take(&mut rest)?).cast_signed();
        let (mark, after) = rest.split_first_chunk::<8>()?;
        before.pointer.mark = i64::from_le_bytes(*mark);
        rest = after;
        if bits & bit != 0 {
            places.push(before);
        }
        bit = bit.wrapping_shl(1);
    }
    Some(places)
}

fn half(pair: &[u8; 16], at: usize) -> Option<u64> {
    let half = pair.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*half))
}

/// A step in either direction, small where it is short.
fn step(from: u64, to: u64) -> u64 {
    let step = to.wrapping_sub(from).cast_signed();
    ((step << 1) ^ (step >> 63)).cast_unsigned()
}

fn go(from: u64, step: u64) -> u64 {
    from.wrapping_add((step >> 1) ^ (step & 1).wrapping_neg())
}

/// Seven bits a byte, the lowest first; the high bit says that there are more.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        (
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            any::<i64>(),
            any::<i64>(),
        )
            .prop_map(|(seq, segment, offset, mark, time)| Place {
                pointer: Pointer {
                    seq,
                    segment,
                    offset,
                    mark,
                },
                time,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(places in prop::collection::vec(place(), 1..=MOST), tags in prop::collection::btree_map(any::<u64>(), any::<u64>(), 0..9)) {
            let tags: Vec<_> = tags.into_iter().map(|(tag, bits)| (Tag(tag), bits)).collect();
            let row = write(&tags, &places);
            prop_assert_eq!(read(&row, |_| u64::MAX), Some(places.clone()));
            for (tag, bits) in tags {
                let having = places.iter().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1);
                let having: Vec<Place> = having.map(|(_, place)| *place).collect();
                prop_assert_eq!(read(&row, |of| of(tag)), Some(having));
            }
        }

        #[test]
        fn nothing_that_is_read_panics(row in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&row, |of| of(Tag(7)) | 0x55);
        }
    }
}
