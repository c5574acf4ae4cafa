//! Secrets in request targets: the values of named parameters are replaced before anything is written.

use super::escape;
use std::borrow::Cow;

/// What stands where a secret was.
const MARK: &[u8] = b"[redacted]";

/// A target as text, without the values of the parameters with these names.
pub(super) fn target(names: &[String], target: &str) -> String {
    let redacted = Redactor::new(names).redact(target.as_bytes()).into_owned();
    String::from_utf8(redacted).unwrap_or_else(|_| "[redacted]".into())
}

/// The names whose values are replaced.
#[derive(Debug)]
pub(super) struct Redactor {
    /// Lower case.
    names: Vec<Vec<u8>>,
}

impl Redactor {
    pub(super) fn new(names: &[String]) -> Self {
        Self {
            names: names
                .iter()
                .map(|n| n.to_ascii_lowercase().into_bytes())
                .collect(),
        }
    }

    /// Writes a request target, or a part of one, as a JSON string. Everything after `?`, `#`, `&` or `;` counts as a
    /// parameter, since the targets of refused requests are recorded too and may have any shape.
    pub(super) fn string(&self, out: &mut Vec<u8>, target: &[u8], max: usize) {
        escape::string(out, &self.redact(target), max);
    }

    /// [`Redactor::string`] for a query string: it begins with a parameter.
    pub(super) fn query_string(&self, out: &mut Vec<u8>, query: &[u8], max: usize) {
        escape::string(out, &self.pairs(query, true), max);
    }

    fn redact<'a>(&self, target: &'a [u8]) -> Cow<'a, [u8]> {
        match without_userinfo(target) {
            Some(stripped) => Cow::Owned(self.pairs(&stripped, false).into_owned()),
            None => self.pairs(target, false),
        }
    }

    fn pairs<'a>(&self, text: &'a [u8], begins_with_pair: bool) -> Cow<'a, [u8]> {
        let mut out: Option<Vec<u8>> = None;
        let mut start = 0;
        let mut is_pair = begins_with_pair;
        for token in text.split_inclusive(|b| is_delimiter(*b)) {
            let end = start + token.len();
            let (pair, delimiter) = match token.split_last() {
                Some((last, rest)) if is_delimiter(*last) => (rest, Some(*last)),
                _ => (token, None),
            };
            let name = is_pair.then(|| self.secret_name(pair)).flatten();
            if let Some(name) = name {
                let out = out.get_or_insert_with(|| text.get(..start).unwrap_or_default().to_vec());
                out.extend_from_slice(name);
                out.push(b'=');
                out.extend_from_slice(MARK);
                out.extend(delimiter);
            } else if let Some(out) = &mut out {
                out.extend_from_slice(token);
            }
            start = end;
            is_pair = true;
        }
        out.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The name in `pair` as it was written, if its value must not be.
    fn secret_name<'a>(&self, pair: &'a [u8]) -> Option<&'a [u8]> {
        let equals = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        (self.is_secret(&decode(name)) || self.nests_secret(value)).then_some(name)
    }

    /// `password` is meant by `user[password]` and `user.password` as well.
    fn is_secret(&self, name: &[u8]) -> bool {
        let is_named = |part: &[u8]| self.names.iter().any(|n| part.eq_ignore_ascii_case(n));
        is_named(name)
            || name
                .split(|b| matches!(b, b'[' | b']' | b'.'))
                .any(is_named)
    }

    /// Whether a value is itself a URL with a secret in it, such as `next=%2Fcallback%3Fcode%3D…`.
    fn nests_secret(&self, value: &[u8]) -> bool {
        let inner = decode(value);
        memchr::memchr(b'=', &inner).is_some()
            && inner
                .split(|b| is_delimiter(*b))
                .filter_map(|pair| {
                    pair.split(|b| *b == b'=')
                        .next()
                        .filter(|n| n.len() < pair.len())
                })
                .any(|name| self.is_secret(&decode(name)))
    }
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'?' | b'#' | b'&' | b';')
}

/// RFC 3986 §3.2.1: `user:password@` in an absolute target, replaced by the mark.
fn without_userinfo(target: &[u8]) -> Option<Vec<u8>> {
    let scheme = memchr::memmem::find(target, b"://")? + 3;
    let authority = target.get(scheme..)?;
    let end = authority
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(authority.len());
    let at = memchr::memrchr(b'@', authority.get(..end)?)?;
    let before = target.get(..scheme)?;
    // A target that only mentions a URL further on is no absolute target.
    if before.iter().any(|b| is_delimiter(*b)) || before.starts_with(b"/") {
        return None;
    }
    Some([before, MARK, authority.get(at..)?].concat())
}

/// Percent-decoding once, `+` as space; what is no triplet stays.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let triplet = match (first, tail) {
            (b'%', [high, low, after @ ..]) => nibble(*high)
                .zip(nibble(*low))
                .map(|(h, l)| (h << 4 | l, after)),
            (b'+', _) => Some((b' ', tail)),
            _ => None,
        };
        let (byte, after) = triplet.unwrap_or((*first, tail));
        out.push(byte);
        rest = after;
    }
    Cow::Owned(out)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::settings::REDACT_QUERY;
    use proptest::prelude::*;

    fn redactor() -> Redactor {
        Redactor::new(&REDACT_QUERY.map(String::from))
    }

    fn redacted(target: &str) -> String {
        String::from_utf8(redactor().redact(target.as_bytes()).into_owned()).expect("UTF-8")
    }

    #[test]
    fn values_of_named_parameters_go() {
        for (target, expected) in [
            ("/a?b=1", "/a?b=1"),
            ("/a?token=x", "/a?token=[redacted]"),
            ("/a?b=1&TOKEN=x&c=2", "/a?b=1&TOKEN=[redacted]&c=2"),
            ("/a?to%6ben=x&b", "/a?to%6ben=[redacted]&b"),
            (
                "/a?user[password]=x;b=2",
                "/a?user[password]=[redacted];b=2",
            ),
            (
                "/a?user%5Bpassword%5D=x",
                "/a?user%5Bpassword%5D=[redacted]",
            ),
            ("/a#access_token=x&b=1", "/a#access_token=[redacted]&b=1"),
            ("/a;session=x/b", "/a;session=[redacted]"),
            ("/a?token", "/a?token"),
            ("/a?token=", "/a?token=[redacted]"),
            ("/a?next=%2Fcb%3Fcode%3Dx&b=1", "/a?next=[redacted]&b=1"),
            ("/a?tokens=x", "/a?tokens=x"),
            ("/token=x", "/token=x"),
            (
                "http://u:p@h/a?sig=x",
                "http://[redacted]@h/a?sig=[redacted]",
            ),
            ("/see?u=http://u@h/", "/see?u=http://u@h/"),
        ] {
            assert_eq!(redacted(target), expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn a_secret_never_stays_however_its_name_is_spelled(
            name in proptest::sample::select(REDACT_QUERY.to_vec()),
            spelling in proptest::collection::vec(0u8..3, 16),
            before in "[a-z0-9/&=%+?;]{0,20}",
            secret in "[A-Z]{8,20}",
        ) {
            let spelled: String = name.bytes().zip(spelling).map(|(b, how)| match how {
                0 => char::from(b).to_string(),
                1 => char::from(b.to_ascii_uppercase()).to_string(),
                _ => format!("%{b:02x}"),
            }).collect();
            let out = redacted(&format!("/{before}?{spelled}={secret}&x=1"));
            prop_assert!(!out.contains(&secret), "{out}");
            prop_assert!(out.ends_with("&x=1"));
        }

        #[test]
        fn no_target_panics_or_loses_its_path(target: Vec<u8>) {
            let out = redactor().redact(&target).into_owned();
            let path = target.split(|b| is_delimiter(*b)).next().unwrap_or_default();
            if !path.contains(&b'@') {
                prop_assert!(out.starts_with(path));
            }
        }
    }
}
