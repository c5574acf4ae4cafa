//! Secrets that follow from another, so that they need not be kept: whoever holds the first can show the second.

use crate::model::Secret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 43 characters of base64url that only who holds `secret` can make, for this use and this `about`.
pub(super) fn derive(secret: &Secret, purpose: &str, about: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [purpose, about] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.sign())
}

/// SHA-256 of a text that is no secret of ours, as the store keeps it.
pub(super) fn digest(parts: &[&str]) -> crate::model::SecretHash {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    crate::model::SecretHash::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_own() -> Result<(), aws_lc_rs::error::Unspecified> {
        let (one, other) = (Secret::fresh()?, Secret::fresh()?);
        let all = [
            derive(&one, "csrf", ""),
            derive(&other, "csrf", ""),
            derive(&one, "pkce", "s"),
            derive(&one, "nonce", "s"),
            derive(&one, "nonce", "t"),
            derive(&one, "nonces", ""),
        ];
        for (n, text) in all.iter().enumerate() {
            assert_eq!(text.len(), 43);
            assert!(!all.iter().skip(n + 1).any(|it| it == text));
        }
        assert_eq!(
            derive(&one, "csrf", ""),
            all.first().cloned().unwrap_or_default()
        );
        Ok(())
    }
}
