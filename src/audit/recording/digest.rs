//! SHA-256 digests, and their text: lower-case hexadecimal digits.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of a chunk's bytes, by which it is known.
pub(super) type Digest = [u8; 32];

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    crate::audit::escape::lower_hex(&mut out, bytes);
    String::from_utf8(out).unwrap_or_default()
}

/// 64 digits, of either case.
pub(super) fn decode(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *slot = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_what_is_none() {
        assert_eq!(decode(&encode(&[0xa7; 32])), Some([0xa7; 32]));
        assert_eq!(decode(&"g".repeat(64)), None);
        assert_eq!(decode("ab"), None);
    }
}
