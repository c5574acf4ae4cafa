//! Secrets at rest: passwords by PBKDF2, random tokens by SHA-256.

use aws_lc_rs::{digest, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::num::NonZeroU32;

/// Rounds of a new hash; each stored hash carries its own.
const ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// `pbkdf2-sha256$ROUNDS$SALT$HASH` with base64url parts; `None` when the system has no randomness.
pub(crate) fn hash(password: &str) -> Option<String> {
    let mut salt = [0u8; 16];
    rand::fill(&mut salt).ok()?;
    let mut out = [0u8; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ROUNDS,
        &salt,
        password.as_bytes(),
        &mut out,
    );
    let (salt, out) = (URL_SAFE_NO_PAD.encode(salt), URL_SAFE_NO_PAD.encode(out));
    Some(format!("pbkdf2-sha256${ROUNDS}${salt}${out}"))
}

/// Whether `password` is the one behind `stored`.
pub(crate) fn matches(stored: &str, password: &str) -> bool {
    let parts: Vec<&str> = stored.split('$').collect();
    let [_, rounds, salt, expected] = parts.as_slice() else {
        return false;
    };
    let (Ok(rounds), Ok(salt), Ok(expected)) = (
        rounds.parse(),
        URL_SAFE_NO_PAD.decode(salt),
        URL_SAFE_NO_PAD.decode(expected),
    ) else {
        return false;
    };
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::verify(algorithm, rounds, &salt, password.as_bytes(), &expected).is_ok()
}

/// 192 random bits as text: a cookie, a CSRF token, an API token.
pub(crate) fn token() -> String {
    let mut bytes = [0u8; 24];
    // Without randomness there is no safe token; an unguessable one cannot be made up.
    assert!(rand::fill(&mut bytes).is_ok(), "no system randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 of `text`, hex.
pub(crate) fn sha256_hex(text: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, text).as_ref())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}
