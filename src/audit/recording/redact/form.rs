//! Values of named fields taken out of forms while they pass: `application/x-www-form-urlencoded`.

use super::Redact;
use crate::audit::recording::settings::Name;

/// The longest name that is held to be compared. A longer one is taken for a secret's. Bytes.
const MAX_NAME: usize = 4096;

const MARK: &[u8] = b"[redacted]";

#[derive(Debug)]
pub(super) struct Form {
    names: Vec<Name>,
    name: Vec<u8>,
    state: In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Name,
    Value,
    Hidden,
}

impl Form {
    pub(super) fn new(names: &[Name]) -> Self {
        Self {
            names: names.to_vec(),
            name: Vec::new(),
            state: In::Name,
        }
    }
}

impl Redact for Form {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        for byte in bytes {
            match (self.state, byte) {
                (_, b'&' | b';') => {
                    self.state = In::Name;
                    self.name.clear();
                    out.push(*byte);
                }
                (In::Name, b'=') => {
                    out.push(*byte);
                    self.state = In::Value;
                    if self.name.len() >= MAX_NAME || is_secret(&self.names, &self.name) {
                        self.state = In::Hidden;
                        out.extend_from_slice(MARK);
                    }
                }
                (In::Name, _) => {
                    if self.name.len() < MAX_NAME {
                        self.name.push(*byte);
                    }
                    out.push(*byte);
                }
                (In::Value, _) => out.push(*byte),
                (In::Hidden, _) => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), &'static str> {
        Ok(())
    }
}

/// `password` is meant by `user[password]` and `user.password` as well, in any encoding.
pub(super) fn is_secret(names: &[Name], written: &[u8]) -> bool {
    let decoded: String = url::form_urlencoded::parse(written)
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default();
    let parts = decoded
        .split(['[', ']', '.'])
        .filter(|part| !part.is_empty());
    let is_listed = |part: &str| names.iter().any(|listed| listed.matches(part));
    is_listed(&decoded) || parts.into_iter().any(is_listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, at: usize) -> String {
        let mut form = Form::new(&["password"].map(Name::from));
        let mut out = Vec::new();
        let (first, second) = text.as_bytes().split_at(at);
        form.push(first, &mut out).unwrap();
        form.push(second, &mut out).unwrap();
        form.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn listed_fields_go_however_they_are_written() {
        let cases = [
            ("a=1&b=2", "a=1&b=2"),
            ("a=1&password=x%26y&b=2", "a=1&password=[redacted]&b=2"),
            ("user%5BPassWord%5D=x", "user%5BPassWord%5D=[redacted]"),
            ("p%61ssword=x==;c", "p%61ssword=[redacted];c"),
            ("password", "password"),
        ];
        for (text, expected) in cases {
            for at in 0..=text.len() {
                assert_eq!(redacted(text, at), expected, "{text} at {at}");
            }
        }
    }
}
