//! Values of named fields taken out of `multipart/form-data` (RFC 7578) while it passes. Files pass as they are.

use super::Redact;
use super::form::is_secret;
use crate::audit::recording::settings::Name;

/// The longest head of a part. Bytes.
const MAX_HEAD: usize = 16 * 1024;

const MARK: &[u8] = b"[redacted]";

#[derive(Debug)]
pub(super) struct Multipart {
    names: Vec<Name>,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    held: Vec<u8>,
    state: In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    /// Before the first delimiter, or in a part's bytes.
    Bytes,
    Hidden,
    /// After a delimiter: the part's head.
    Head,
}

impl Multipart {
    /// `None` where the content type names no boundary.
    pub(super) fn new(names: &[Name], content_type: &str) -> Option<Self> {
        let lower = content_type.to_ascii_lowercase();
        let at = lower.find("boundary=")? + "boundary=".len();
        let rest = content_type.get(at..)?;
        let boundary = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split([';', ' ']).next()?,
        };
        let fits = (1..=70).contains(&boundary.len());
        fits.then(|| Self {
            names: names.to_vec(),
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            // The first delimiter has no line before it.
            held: b"\r\n".to_vec(),
            state: In::Bytes,
        })
    }

    fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, &'static str> {
        if self.state == In::Head {
            let Some(end) = memchr::memmem::find(&self.held, b"\r\n\r\n") else {
                if self.held.starts_with(b"--") {
                    // The last delimiter: what follows belongs to no part.
                    self.state = In::Bytes;
                    return Ok(true);
                }
                return if self.held.len() > MAX_HEAD {
                    Err("the head of one of its parts is too long")
                } else {
                    Ok(false)
                };
            };
            let rest = self.held.split_off(end + 4);
            let head = std::mem::replace(&mut self.held, rest);
            out.extend_from_slice(&head);
            self.state = In::Bytes;
            if self.hides(&head) {
                self.state = In::Hidden;
                out.extend_from_slice(MARK);
            }
            return Ok(true);
        }
        let found = memchr::memmem::find(&self.held, &self.delimiter);
        // The end of what is held may be the beginning of a delimiter.
        let safe = self.held.len().saturating_sub(self.delimiter.len() - 1);
        let upto = found.map_or(safe, |at| at);
        let rest = self.held.split_off(upto);
        let bytes = std::mem::replace(&mut self.held, rest);
        if self.state == In::Bytes {
            out.extend_from_slice(&bytes);
        }
        if found.is_none() {
            return Ok(false);
        }
        let rest = self.held.split_off(self.delimiter.len());
        out.append(&mut self.held);
        self.held = rest;
        self.state = In::Head;
        Ok(true)
    }

    fn hides(&self, head: &[u8]) -> bool {
        let text = String::from_utf8_lossy(head);
        let names = text.lines().filter_map(|line| {
            let (field, value) = line.split_once(':')?;
            let is_it = field.trim().eq_ignore_ascii_case("content-disposition");
            is_it.then(|| parameter(value)).flatten()
        });
        let mut names = names.peekable();
        // A part without a name is nobody's field; one that is named twice is read in more than one way.
        names.any(|name| is_secret(&self.names, name.as_bytes()))
    }
}

/// The `name` of a content disposition.
fn parameter(value: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let name = name.trim();
        (name.eq_ignore_ascii_case("name") || name.eq_ignore_ascii_case("name*"))
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

impl Redact for Multipart {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.held.extend_from_slice(bytes);
        while self.step(out)? {}
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        if self.state == In::Bytes {
            out.append(&mut self.held);
        }
        self.held.clear();
        Ok(())
    }
}

/// Takes away the line that [`Multipart::new`] put before everything.
#[derive(Debug)]
pub(super) struct Leading<R> {
    pub(super) inner: R,
    pub(super) skip: usize,
}

impl<R: Redact> Leading<R> {
    fn cut(&mut self, out: &mut Vec<u8>, start: usize) {
        let take = self.skip.min(out.len() - start);
        out.drain(start..start + take);
        self.skip -= take;
    }
}

impl<R: Redact> Redact for Leading<R> {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let start = out.len();
        let pushed = self.inner.push(bytes, out);
        self.cut(out, start);
        pushed
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let start = out.len();
        let finished = self.inner.finish(out);
        self.cut(out, start);
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, at: usize) -> String {
        let names = ["password"].map(Name::from);
        let kind = "multipart/form-data; boundary=XX";
        let inner = Multipart::new(&names, kind).unwrap();
        let mut filter = Leading { inner, skip: 2 };
        let mut out = Vec::new();
        let (first, second) = text.as_bytes().split_at(at);
        filter.push(first, &mut out).unwrap();
        filter.push(second, &mut out).unwrap();
        filter.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn listed_parts_go_and_files_stay_wherever_the_bytes_are_cut() {
        let part = |name: &str, value: &str| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let text = |secret: &str| {
            part("a", "1\r\n--X")
                + &part("Password", secret)
                + &part("file", "\0\r\n-")
                + "--XX--\r\n"
        };
        let (given, expected) = (text("hunter2"), text("[redacted]"));
        for at in 0..=given.len() {
            assert_eq!(redacted(&given, at), expected, "at {at}");
        }
        let cut = part("password", "hunt");
        assert!(!redacted(cut.trim_end(), 3).contains("hunt"));
    }
}
