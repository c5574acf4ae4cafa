//! Secrets that the product mints: 256 random bits, stored only as their SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// A bearer secret: a cookie, a start code. `Debug` never shows it.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one from the system's generator.
    ///
    /// # Errors
    /// When the generator fails; a caller refuses rather than go on.
    pub fn fresh() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut bytes = [0u8; 32];
        aws_lc_rs::rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads the 43 characters of unpadded base64url that [`Secret::reveal`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 32];
        let n = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (n == 32).then_some(Self(bytes))
    }

    /// The text to hand to its one holder. Named so that a reader of the call stops to think.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.0);
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(digest.as_ref());
        SecretHash(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a [`Secret`]. 256 bits of entropy need no salt and no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `secret` is the one hashed here, in constant time.
    pub fn matches(&self, secret: &Secret) -> bool {
        self.0.ct_eq(&secret.hash().0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_only() -> Result<(), aws_lc_rs::error::Unspecified> {
        let (one, other) = (Secret::fresh()?, Secret::fresh()?);
        assert!(one.hash().matches(&one));
        assert!(!one.hash().matches(&other));
        let read = Secret::parse(&one.reveal());
        assert!(read.is_some_and(|s| one.hash().matches(&s)));
        Ok(())
    }

    #[test]
    fn debug_never_shows_it() -> Result<(), aws_lc_rs::error::Unspecified> {
        let secret = Secret::fresh()?;
        assert!(!format!("{secret:?} {:?}", secret.hash()).contains(&secret.reveal()));
        Ok(())
    }

    #[test]
    fn only_43_canonical_characters_parse() {
        for text in ["", "short", &"A".repeat(44), &"!".repeat(43)] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }
}
