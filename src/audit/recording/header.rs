//! The plain beginning of a tape's part: what it is, whose, and the salt that its key is made with.

use crate::model::SessionId;

/// Bytes of a header.
pub(super) const HEADER: usize = 64;

/// What every part begins with; the last byte is the format's version.
const MAGIC: [u8; 12] = *b"LOCUM-TAPE\0\x01";

/// `magic (12) ‖ session (16, big-endian) ‖ part (4, big-endian) ‖ salt (32)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) session: SessionId,
    /// 1 for the first.
    pub(super) part: u32,
    pub(super) salt: [u8; 32],
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let (magic, rest) = out.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let (session, rest) = rest.split_at_mut(16);
        session.copy_from_slice(&self.session.to_bits().to_be_bytes());
        let (part, salt) = rest.split_at_mut(4);
        part.copy_from_slice(&self.part.to_be_bytes());
        salt.copy_from_slice(&self.salt);
        out
    }

    /// `None` where these are no header's bytes, or one of another version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (part, rest) = rest.split_first_chunk::<4>()?;
        Some(Self {
            session: SessionId::from_bits(u128::from_be_bytes(*session)),
            part: u32::from_be_bytes(*part),
            salt: *rest.first_chunk::<32>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_round_trips_and_another_version_is_none() {
        let header = Header {
            session: SessionId::fresh(),
            part: 7,
            salt: [9; 32],
        };
        let mut bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes), Some(header));
        bytes[11] = 2;
        assert_eq!(Header::parse(&bytes), None);
        assert_eq!(Header::parse(&bytes[..40]), None);
    }
}
