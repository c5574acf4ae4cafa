//! Frames sealed and opened: AES-256-GCM under a key that belongs to one part of one tape.
//!
//! **Why no nonce comes twice under a key.** A part's key is `HKDF-SHA256(session key, salt, info)`, where the salt is 32 fresh
//! random bytes that only this part has, and `info` names session and part. A nonce is the frame's number, which a [`Sealer`] counts up
//! from 0 and never down. There is one sealer for a part: a part is made with its file (`create_new`) and never opened for writing
//! again, neither by another process nor after a write that failed; what follows is another part, with a salt and so a key
//! of its own.

use super::header::{HEADER, Header};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;

/// Bytes that sealing adds to a frame.
pub(super) const TAG: usize = 16;

/// The key of a session's tape; each part's key comes from it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SessionKey([u8; 32]);

impl SessionKey {
    pub(super) fn fresh() -> Result<Self, Unspecified> {
        random().map(Self)
    }

    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn part(&self, header: &Header) -> Result<LessSafeKey, Unspecified> {
        let mut info = b"locum tape part 1".to_vec();
        info.extend_from_slice(&header.session.to_bits().to_be_bytes());
        info.extend_from_slice(&header.part.to_be_bytes());
        derive(&self.0, &header.salt, &info)
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// An AES-256-GCM key by HKDF-SHA256 (RFC 5869).
pub(super) fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<LessSafeKey, Unspecified> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, salt);
    let pseudorandom = salt.extract(secret);
    let info = [info];
    let made = pseudorandom.expand(&info, &AES_256_GCM)?;
    Ok(LessSafeKey::new(UnboundKey::from(made)))
}

/// 32 bytes of the system's generator.
pub(super) fn random() -> Result<[u8; 32], Unspecified> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}

/// Seals the frames of one part, in order. Not `Clone`: two would use the same nonces.
pub(super) struct Sealer {
    key: LessSafeKey,
    header: [u8; HEADER],
    next: u64,
}

impl Sealer {
    /// A new part, with a salt that nobody had before.
    pub(super) fn begin(
        key: &SessionKey,
        session: crate::model::SessionId,
        part: u32,
    ) -> Result<(Self, Header), Unspecified> {
        let header = Header {
            session,
            part,
            salt: random()?,
        };
        let sealer = Self {
            key: key.part(&header)?,
            header: header.to_bytes(),
            next: 0,
        };
        Ok((sealer, header))
    }

    /// How many frames were sealed: the next one's number.
    pub(super) const fn count(&self) -> u64 {
        self.next
    }

    /// Appends `[u32 length][ciphertext ‖ tag]` to `out`.
    pub(super) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Unspecified> {
        let number = self.next;
        let length = u32::try_from(plain.len() + TAG).map_err(|_| Unspecified)?;
        // Taken before it is used, so that a failure cannot make it come again.
        self.next = number.checked_add(1).ok_or(Unspecified)?;
        out.extend_from_slice(&length.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(plain);
        let body = out.get_mut(start..).ok_or(Unspecified)?;
        let aad = Aad::from(associated(&self.header, number));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(number), aad, body)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// Opens the frames of one part.
pub(super) struct Opener {
    key: LessSafeKey,
    header: [u8; HEADER],
}

impl Opener {
    pub(super) fn new(key: &SessionKey, header: Header) -> Result<Self, Unspecified> {
        Ok(Self {
            key: key.part(&header)?,
            header: header.to_bytes(),
        })
    }

    /// The plain frame `number`; an error where it was changed, or is not frame `number` of this part.
    pub(super) fn open<'a>(
        &self,
        number: u64,
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], Unspecified> {
        let aad = Aad::from(associated(&self.header, number));
        let plain = self.key.open_in_place(nonce(number), aad, sealed)?;
        Ok(plain)
    }
}

/// What a frame is bound to: its part's header and its number.
fn associated(header: &[u8; HEADER], number: u64) -> [u8; HEADER + 8] {
    let mut out = [0; HEADER + 8];
    let (head, count) = out.split_at_mut(HEADER);
    head.copy_from_slice(header);
    count.copy_from_slice(&number.to_be_bytes());
    out
}

/// Four zero bytes and the frame's number, big-endian.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (_, count) = bytes.split_at_mut(NONCE_LEN - 8);
    count.copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SessionId;

    fn key() -> SessionKey {
        SessionKey::from_bytes([3; 32])
    }

    #[test]
    fn a_frame_opens_only_at_its_own_place() {
        let session = SessionId::fresh();
        let (mut sealer, header) = Sealer::begin(&key(), session, 1).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        sealer.seal(b"one", &mut first).unwrap();
        sealer.seal(b"two", &mut second).unwrap();
        let opener = Opener::new(&key(), header).unwrap();
        assert!(opener.open(1, &mut first.clone()[4..]).is_err());
        assert_eq!(opener.open(0, &mut first[4..]).unwrap(), b"one");
        assert_eq!(opener.open(1, &mut second[4..]).unwrap(), b"two");
    }

    #[test]
    fn a_part_never_has_anothers_key_even_with_the_same_number() {
        let session = SessionId::fresh();
        let (mut a, first) = Sealer::begin(&key(), session, 1).unwrap();
        let (mut b, second) = Sealer::begin(&key(), session, 1).unwrap();
        let (mut x, mut y) = (Vec::new(), Vec::new());
        a.seal(b"the same words", &mut x).unwrap();
        b.seal(b"the same words", &mut y).unwrap();
        assert_ne!(first.salt, second.salt);
        assert_ne!(x, y);
        let other = Opener::new(&key(), second).unwrap();
        assert!(other.open(0, &mut x[4..]).is_err());
    }

    #[test]
    fn numbers_only_go_up() {
        let (mut sealer, _) = Sealer::begin(&key(), SessionId::fresh(), 1).unwrap();
        let mut out = Vec::new();
        for n in 0..5 {
            assert_eq!(sealer.count(), n);
            sealer.seal(b"", &mut out).unwrap();
        }
    }
}
