//! What a frame says once it is open: a chunk of bytes, or a head in JSON. `docs/recording.md` states each.

use super::digest::{Digest, sha256};
use super::head::Head;
use std::fmt;

/// The longest chunk. Bytes.
pub(super) const CHUNK: usize = 64 * 1024;

/// The longest plain frame that is ever written or read: a head may carry a request's whole set of fields. Bytes.
pub(super) const MAX_FRAME: usize = 1 << 20;

const HEAD: u8 = 1;
const RAW: u8 = 2;
const ZSTD: u8 = 3;

/// An open frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Head(Box<Head>),
    /// Bytes that heads refer to by their digest.
    Chunk {
        digest: Digest,
        bytes: Vec<u8>,
    },
}

/// Why a frame's bytes say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unreadable<T>(what: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(what.into()))
}

/// How chunks are written at present: compression is what gives way where the recorder falls behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    Compress,
    Hurry,
}

/// The compression's level: zstd's fastest ordinary one.
const LEVEL: i32 = 1;

/// Below this nothing is compressed: there is nothing to win. Bytes.
const WORTH: usize = 128;

/// Writes a head's plain frame.
pub(super) fn write_head(head: &Head, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    out.push(HEAD);
    serde_json::to_writer(&mut *out, head).map_err(|why| Unreadable(why.to_string()))?;
    if out.len() > MAX_FRAME {
        return unreadable("a head is longer than a frame may be");
    }
    Ok(())
}

/// Writes a chunk's plain frame: `kind (1) ‖ SHA-256 (32) ‖ bytes`, compressed where that makes it smaller.
pub(super) fn write_chunk(digest: &Digest, bytes: &[u8], effort: Effort, out: &mut Vec<u8>) {
    let packed = (effort == Effort::Compress && bytes.len() >= WORTH)
        .then(|| zstd::bulk::compress(bytes, LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() < bytes.len());
    out.push(if packed.is_some() { ZSTD } else { RAW });
    out.extend_from_slice(digest);
    out.extend_from_slice(packed.as_deref().unwrap_or(bytes));
}

impl Frame {
    /// Reads a plain frame. A chunk is checked against its digest.
    pub(super) fn parse(plain: &[u8]) -> Result<Self, Unreadable> {
        match plain.split_first() {
            Some((&HEAD, json)) => match serde_json::from_slice(json) {
                Ok(head) => Ok(Self::Head(Box::new(head))),
                Err(why) => unreadable(format!("a head is not readable: {why}")),
            },
            Some((&RAW, rest)) => Self::chunk(rest, |bytes| Ok(bytes.to_vec())),
            Some((&ZSTD, rest)) => Self::chunk(rest, unpack),
            Some((kind, _)) => unreadable(format!("frames of kind {kind} are not known")),
            None => unreadable("a frame is empty"),
        }
    }

    fn chunk(
        rest: &[u8],
        unpack: impl FnOnce(&[u8]) -> Result<Vec<u8>, Unreadable>,
    ) -> Result<Self, Unreadable> {
        let Some((digest, packed)) = rest.split_first_chunk::<32>() else {
            return unreadable("a chunk has no digest");
        };
        let bytes = unpack(packed)?;
        if bytes.len() > CHUNK || sha256(&bytes) != *digest {
            return unreadable("a chunk is not what its digest says");
        }
        Ok(Self::Chunk {
            digest: *digest,
            bytes,
        })
    }
}

/// What a plain frame is, without its chunk's bytes.
pub(super) enum Outline {
    Head(Box<Head>),
    Chunk(Digest),
}

/// Reads a plain frame as far as an index needs it: a chunk's bytes are looked at when they are fetched.
pub(super) fn outline(plain: &[u8]) -> Result<Outline, Unreadable> {
    if let Some((&(RAW | ZSTD), rest)) = plain.split_first() {
        return match rest.first_chunk::<32>() {
            Some(digest) => Ok(Outline::Chunk(*digest)),
            None => unreadable("a chunk has no digest"),
        };
    }
    match Frame::parse(plain)? {
        Frame::Head(head) => Ok(Outline::Head(head)),
        Frame::Chunk { digest, .. } => Ok(Outline::Chunk(digest)),
    }
}

/// Never more than [`CHUNK`] bytes, whatever the frame says of itself.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Unreadable> {
    zstd::bulk::decompress(packed, CHUNK).or_else(|_| unreadable("a chunk cannot be decompressed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bytes: &[u8], effort: Effort) -> Vec<u8> {
        let mut out = Vec::new();
        write_chunk(&sha256(bytes), bytes, effort, &mut out);
        out
    }

    proptest! {
        #[test]
        fn chunks_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..5000), hurry: bool) {
            let effort = if hurry { Effort::Hurry } else { Effort::Compress };
            let digest = sha256(&bytes);
            prop_assert_eq!(Frame::parse(&written(&bytes, effort)), Ok(Frame::Chunk { digest, bytes }));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frame::parse(&bytes);
        }

        #[test]
        fn a_changed_chunk_is_told(at in 1usize..500, bit in 0u8..8) {
            let mut frame = written(&[7; 600], Effort::Hurry);
            frame[at] ^= 1 << bit;
            prop_assert!(Frame::parse(&frame).is_err());
        }
    }

    #[test]
    fn compression_is_used_where_it_helps_and_left_out_in_a_hurry() {
        let text = b"the same words again ".repeat(100);
        assert_eq!(written(&text, Effort::Compress)[0], ZSTD);
        assert!(written(&text, Effort::Compress).len() < 200);
        assert_eq!(written(&text, Effort::Hurry)[0], RAW);
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 4 * CHUNK];
        let mut frame = vec![ZSTD];
        frame.extend_from_slice(&sha256(&zeros));
        frame.extend_from_slice(&zstd::bulk::compress(&zeros, 1).unwrap());
        assert!(Frame::parse(&frame).is_err());
    }
}
