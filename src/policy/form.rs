//! Query parameters and form fields, read so that no other parser can have read them otherwise.

use std::borrow::Cow;

/// Two parsers could read the parameters differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The pairs of one query or form.
#[derive(Debug)]
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    /// Reads `a=1&b=2`. Refuses malformed percent-encoding, what is no UTF-8, a raw `;` (a
    /// separator to some), control bytes in names and more than `limit` pairs.
    pub(super) fn read(text: &'a [u8], limit: usize) -> Result<Self, Ambiguous> {
        let mut pairs = Vec::new();
        for piece in text.split(|b| *b == b'&').filter(|piece| !piece.is_empty()) {
            if pairs.len() >= limit || piece.contains(&b';') {
                return Err(Ambiguous);
            }
            let (name, value) = match memchr::memchr(b'=', piece) {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &[][..]),
            };
            let name = decode(name)?;
            if name.chars().any(char::is_control) {
                return Err(Ambiguous);
            }
            pairs.push((name, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`. Ambiguous if it is there twice, or under a name that a lenient parser
    /// takes for the same: other case, blanks around, `[…]` behind (PHP, Rails, qs), `.` and blank for `_` (PHP).
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Ambiguous> {
        let mut found = None;
        for (known, value) in &self.0 {
            if known == name {
                if found.replace(&**value).is_some() {
                    return Err(Ambiguous);
                }
            } else if alike(known, name) {
                return Err(Ambiguous);
            }
        }
        Ok(found)
    }
}

fn alike(one: &str, two: &str) -> bool {
    fn plain(name: &str) -> impl Iterator<Item = char> {
        let name = name.trim();
        let end = name.find('[').filter(|at| *at > 0).unwrap_or(name.len());
        name[..end].chars().map(|c| match c {
            '.' | ' ' => '_',
            other => other.to_ascii_lowercase(),
        })
    }
    plain(one).eq(plain(two))
}

fn decode(text: &[u8]) -> Result<Cow<'_, str>, Ambiguous> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return std::str::from_utf8(text)
            .map(Cow::Borrowed)
            .map_err(|_| Ambiguous);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (
                bytes.next().copied().and_then(hex),
                bytes.next().copied().and_then(hex),
            ) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(Ambiguous),
            },
            other => *other,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Ambiguous)
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(text: &str, name: &str) -> Result<Option<String>, Ambiguous> {
        let pairs = Pairs::read(text.as_bytes(), 100)?;
        pairs.get(name).map(|value| value.map(str::to_owned))
    }

    #[test]
    fn names_and_values_are_decoded() {
        assert_eq!(get("a=1&%62=x%2By+z&c", "b"), Ok(Some("x+y z".to_owned())));
        assert_eq!(get("a=1&c", "c"), Ok(Some(String::new())));
        assert_eq!(get("a=1", "b"), Ok(None));
        assert_eq!(get("", "b"), Ok(None));
    }

    #[test]
    fn whatever_reads_two_ways_is_ambiguous() {
        for text in [
            "a=1&a=2", "a=1&A=2", "A=2", "a[]=1", "a[x]=1", " a=1", "+a=1", "a=%zz", "b=%ff",
            "b=1;a=2", "a%00=1",
        ] {
            assert_eq!(get(text, "a"), Err(Ambiguous), "{text}");
        }
        assert_eq!(get("x.y=1", "x_y"), Err(Ambiguous));
        assert_eq!(get("b=1&b=2", "a"), Ok(None));
        assert!(Pairs::read(b"a&b&c", 2).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(pairs) = Pairs::read(&text, 50) {
                let _ = pairs.get("a");
            }
        }
    }
}
