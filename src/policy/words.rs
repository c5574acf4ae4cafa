//! Words of a path segment or a GraphQL field, as the built-in pack looks for them.

use std::hash::{BuildHasherDefault, Hasher};

/// FNV-1a: for short keys from our own files, looked up with a client's text. Nothing of a
/// client's is ever inserted, so its text cannot make chains.
#[derive(Clone, Copy)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

pub(super) type FnvMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fnv>>;

/// Longest word or joined words that are looked up.
pub(super) const MAX_WORD: usize = 32;
/// Words that are joined to one at most: `download-my-data`.
const MAX_JOINED: usize = 4;

/// Calls `each` with every word of `text` and every run of neighbours joined, in lower case:
/// `resetTwoFactor` gives `reset`, `resettwo`, `resettwofactor`, `two`, `twofactor`, `factor`.
/// A word ends at anything but a letter or digit, before a capital, and between a letter and a digit.
pub(super) fn each_word(text: &[u8], mut each: impl FnMut(&[u8])) {
    let mut from = 0;
    while let Some(start) = next_start(text, from) {
        let mut joined = [0u8; MAX_WORD];
        let mut length = 0;
        let mut at = start;
        for _ in 0..MAX_JOINED {
            let end = word_end(text, at);
            let word = &text[at..end];
            let Some(room) = joined.get_mut(length..length + word.len()) else {
                break;
            };
            room.copy_from_slice(word);
            room.make_ascii_lowercase();
            length += word.len();
            each(&joined[..length]);
            match next_start(text, end) {
                Some(next) => at = next,
                None => break,
            }
        }
        from = word_end(text, start);
    }
}

fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let below = text.get(from..)?;
    below
        .iter()
        .position(u8::is_ascii_alphanumeric)
        .map(|at| from + at)
}

/// The end of the word that begins at `start`; always past it.
fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let (Some(&before), Some(&here)) = (text.get(at - 1), text.get(at)) {
        let after = text.get(at + 1);
        let acronym_ends = before.is_ascii_uppercase()
            && here.is_ascii_uppercase()
            && after.is_some_and(u8::is_ascii_lowercase);
        if !here.is_ascii_alphanumeric()
            || (before.is_ascii_lowercase() && here.is_ascii_uppercase())
            || (before.is_ascii_alphabetic() && here.is_ascii_digit())
            || acronym_ends
        {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text.as_bytes(), |word| {
            words.push(String::from_utf8_lossy(word).into_owned());
        });
        words
    }

    #[test]
    fn words_are_found_in_every_spelling() {
        for (text, word) in [
            ("mfa", "mfa"),
            ("resetMFA", "mfa"),
            ("MFAReset", "mfa"),
            ("two-factor", "twofactor"),
            ("TwoFactorAuth", "twofactor"),
            ("2fa", "2fa"),
            ("reset2FA", "2fa"),
            ("u2f", "u2f"),
            ("e-mail", "email"),
            ("download_my_data", "downloadmydata"),
            ("export.csv", "export"),
        ] {
            assert!(
                words(text).iter().any(|known| known == word),
                "{text}: {:?}",
                words(text)
            );
        }
        assert!(!words("information").iter().any(|known| known == "mfa"));
    }

    proptest! {
        #[test]
        fn no_input_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            each_word(&text, |word| assert!(!word.is_empty() && word.len() <= MAX_WORD));
        }
    }
}
