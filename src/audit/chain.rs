//! The chain: how one record is bound to the one before it, and how a line is read back strictly.
//!
//! A line is `BODY,"seq":N,"prev":"P","hash":"H"}` and a newline; `H` is the SHA-256 of every byte before `,"hash"`,
//! `P` the `H` of the record before. The chain stands last so that the body is encoded and hashed outside the lock.

use super::escape;
use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 in lower-case hexadecimal.
pub(super) type Hex = [u8; 64];

/// What the first record of all names as the one before it.
pub(super) const GENESIS: Hex = [b'0'; 64];

const SEQ: &[u8] = b",\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const END: &[u8] = b"\"}";

/// The longest line that is read. Bodies are far shorter: each text in them is bounded.
pub(super) const MAX_LINE: usize = 1 << 20;

/// An upper bound of what [`seal`] adds.
pub(super) const SEAL_BYTES: usize = 200;

/// Where the chain stands: what the next record must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The sequence number of the next record; the first is 1.
    pub(super) next: u64,
    /// The hash of the last one.
    pub(super) hash: Hex,
}

impl Head {
    pub(super) const START: Self = Self {
        next: 1,
        hash: GENESIS,
    };
}

/// A running hash over a body, begun before its place in the chain is known.
pub(super) fn hash_body(body: &[u8]) -> Context {
    let mut context = Context::new(&SHA256);
    context.update(body);
    context
}

/// Completes `body`, whose hash is begun in `context`, to a line at `head`. Returns the head after it.
pub(super) fn seal(body: &mut Vec<u8>, mut context: Context, head: &Head) -> Head {
    let start = body.len();
    body.extend_from_slice(SEQ);
    escape::number(body, head.next);
    body.extend_from_slice(PREV);
    body.extend_from_slice(&head.hash);
    body.push(b'"');
    context.update(body.get(start..).unwrap_or_default());
    let hash = finish(context);
    body.extend_from_slice(HASH.get(1..).unwrap_or_default());
    body.extend_from_slice(&hash);
    body.extend_from_slice(END);
    body.push(b'\n');
    Head {
        next: head.next + 1,
        hash,
    }
}

pub(super) fn finish(context: Context) -> Hex {
    to_hex(context.finish().as_ref())
}

/// The SHA-256 of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> Hex {
    finish(hash_body(bytes))
}

fn to_hex(digest: &[u8]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const PAIRS: [[u8; 2]; 256] = {
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < pairs.len() {
            pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
            byte += 1;
        }
        pairs
    };
    let mut text = GENESIS;
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(digest) {
        *pair = PAIRS[usize::from(*byte)];
    }
    text
}

/// A line taken apart. Nothing is believed yet but the shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) prev: &'a Hex,
    pub(super) stated: &'a Hex,
    /// What the stated hash is of.
    hashed: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line without its newline; `None` if it has not the shape, byte for byte, that [`seal`] gives.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        if !line.starts_with(b"{") {
            return None;
        }
        let rest = line.strip_suffix(END)?;
        let (rest, stated) = rest.split_last_chunk::<64>()?;
        let rest = rest.strip_suffix(HASH)?;
        // `HASH` begins with the quote that closes `prev`: it is hashed, the comma after it is not.
        let hashed = line.get(..=rest.len())?;
        let (rest, prev) = rest.split_last_chunk::<64>()?;
        let rest = rest.strip_suffix(PREV)?;
        let digits = rest
            .iter()
            .rev()
            .take(21)
            .take_while(|b| b.is_ascii_digit());
        let (rest, digits) = rest.split_at_checked(rest.len() - digits.count())?;
        rest.strip_suffix(SEQ)?;
        if digits.first() == Some(&b'0') {
            return None;
        }
        Some(Self {
            seq: std::str::from_utf8(digits).ok()?.parse().ok()?,
            prev,
            stated,
            hashed,
        })
    }

    /// The hash that an intact line states.
    pub(super) fn computed(&self) -> Hex {
        sha256(self.hashed)
    }

    pub(super) fn is_intact(&self) -> bool {
        *self.stated == self.computed()
    }

    pub(super) fn head(&self) -> Head {
        Head {
            next: self.seq.saturating_add(1),
            hash: *self.stated,
        }
    }
}

/// Whether bytes after the last newline can be what a crash leaves: a beginning of a record, and perhaps zeros that the
/// file system put where data never arrived.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    let zeros = tail.iter().rev().take_while(|b| **b == 0).count();
    let kept = tail.get(..tail.len() - zeros).unwrap_or_default();
    let is_text = kept.iter().all(|b| *b >= 0x20) && (kept.is_empty() || kept.starts_with(b"{"));
    // A whole record with something other than a newline after it was not torn but changed.
    let has_whole = (1..kept.len()).any(|end| {
        kept.get(..end).is_some_and(|part| part.ends_with(END))
            && kept.get(..end).and_then(Line::parse).is_some()
    });
    is_text && !has_whole
}

/// The few members that readers of lines need.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Light<'a> {
    #[serde(borrow)]
    pub(super) metadata: LightMetadata<'a>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct LightMetadata<'a> {
    pub(super) event_code: &'a str,
    pub(super) correlation_uid: Option<&'a str>,
}

impl<'a> Light<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(head: &Head) -> (Vec<u8>, Head) {
        let mut body = b"{\"a\":1".to_vec();
        let next = seal(&mut body.clone(), hash_body(&body), head);
        let context = hash_body(&body);
        assert_eq!(seal(&mut body, context, head), next);
        (body, next)
    }

    #[test]
    fn a_sealed_line_is_json_and_reads_back() {
        let (first, head) = line(&Head::START);
        let (second, _) = line(&head);
        let value: serde_json::Value = serde_json::from_slice(&second).expect("JSON");
        assert_eq!(value["seq"], 2);
        let parsed = Line::parse(&second[..second.len() - 1]).expect("line");
        assert!(parsed.is_intact());
        assert_eq!(parsed.prev, &head.hash);
        let before = Line::parse(&first[..first.len() - 1]).expect("line");
        assert_eq!(before.head(), head);
    }

    #[test]
    fn every_flipped_bit_shows() {
        let (line, _) = line(&Head::START);
        for at in 0..line.len() - 1 {
            for bit in 0..8 {
                let mut bad = line.clone();
                bad[at] ^= 1 << bit;
                let intact = Line::parse(&bad[..bad.len() - 1]).is_some_and(|l| l.is_intact());
                assert!(!intact, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_torn_tail_is_told_from_a_changed_one() {
        let (line, _) = line(&Head::START);
        for end in 0..line.len() {
            assert!(is_torn(&line[..end]), "{end}");
            assert!(
                is_torn(&[&line[..end], &[0; 9][..]].concat()),
                "{end} and zeros"
            );
        }
        for bit in 0..8 {
            let mut bad = line.clone();
            *bad.last_mut().expect("newline") ^= 1 << bit;
            assert!(!is_torn(&bad), "newline's bit {bit}");
        }
    }
}
