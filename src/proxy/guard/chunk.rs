//! Chunked framing (RFC 9112 §7.1), line by line, with none of the leniency that parsers differ in.

use super::bytes::{TOKEN, has_control, is_in};
use super::{Fault, Limits};
use crate::model::Reason;

const BAD: Fault = Fault::Ambiguous(Reason::Chunk);
const SIZE_DIGITS: usize = 16;

/// A chunk-size line: the size, and how many bytes its extensions took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) size: u64,
    pub(super) extension_bytes: usize,
}

/// The longest line that can be good, without its LF.
pub(super) const fn longest_line(limits: &Limits) -> usize {
    SIZE_DIGITS + limits.max_chunk_extension_bytes + 1
}

/// Reads a chunk-size line without its LF.
pub(super) fn size_line(line: &[u8]) -> Result<Size, Fault> {
    let line = line.strip_suffix(b"\r").ok_or(BAD)?;
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, extensions) = line.split_at(digits.unwrap_or(line.len()));
    if digits.is_empty() || digits.len() > SIZE_DIGITS || !are_extensions(extensions) {
        return Err(BAD);
    }
    let text = std::str::from_utf8(digits).map_err(|_| BAD)?;
    let size = u64::from_str_radix(text, 16).map_err(|_| BAD)?;
    // Beyond this, what others keep in a signed integer is negative.
    if size > i64::MAX as u64 {
        return Err(BAD);
    }
    Ok(Size {
        size,
        extension_bytes: extensions.len(),
    })
}

/// RFC 9112 §7.1.1 without its "bad" whitespace: `*( ";" token [ "=" ( token / quoted-string ) ] )`.
fn are_extensions(mut rest: &[u8]) -> bool {
    while let Some(extension) = rest.strip_prefix(b";") {
        let Some(after) = token(extension) else {
            return false;
        };
        rest = match after {
            [b'=', b'"', quoted @ ..] => match unquoted(quoted) {
                Some(after) => after,
                None => return false,
            },
            [b'=', value @ ..] => match token(value) {
                Some(after) => after,
                None => return false,
            },
            after => after,
        };
    }
    rest.is_empty()
}

fn token(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|&byte| !is_in(&TOKEN, byte));
    let end = end.unwrap_or(text.len());
    if end == 0 { None } else { text.get(end..) }
}

/// What follows the closing quote.
fn unquoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_text(*escaped) => rest,
            [b'\\', ..] | [] => return None,
            [byte, rest @ ..] if is_text(*byte) => rest,
            _ => return None,
        };
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7F)
}

/// How far a trailer section got. `Complete` carries its length with the empty line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Complete(usize),
    Refuse(Fault),
}

/// The lines of a trailer section judged so far.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    judged: usize,
    lines: usize,
}

impl Trailers {
    /// Judges every whole line of `bytes`, which starts after the last chunk's size line.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &Limits) -> Step {
        loop {
            let rest = bytes.get(self.judged..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', rest) else {
                if bytes.len() > limits.max_trailer_bytes {
                    return Step::Refuse(Fault::TrailersTooLarge);
                }
                return Step::More;
            };
            let line = rest.get(..at).unwrap_or_default();
            self.judged += at + 1;
            self.lines += 1;
            if self.judged > limits.max_trailer_bytes {
                return Step::Refuse(Fault::TrailersTooLarge);
            }
            match line.strip_suffix(b"\r") {
                Some([]) => return Step::Complete(self.judged),
                Some(_) if self.lines > limits.max_headers => {
                    return Step::Refuse(Fault::TrailersTooLarge);
                }
                Some(line) => {
                    if let Err(fault) = trailer(line) {
                        return Step::Refuse(fault);
                    }
                }
                None => return Step::Refuse(BAD),
            }
        }
    }
}

fn trailer(line: &[u8]) -> Result<(), Fault> {
    if has_control(line) {
        return Err(Fault::Ambiguous(Reason::ControlByte));
    }
    let end = line.iter().position(|&byte| !is_in(&TOKEN, byte));
    match end.map(|end| line.split_at(end)) {
        Some((name, [b':', ..])) if !name.is_empty() => {
            if is_forbidden_trailer(name) {
                Err(Fault::Ambiguous(Reason::Trailer))
            } else {
                Ok(())
            }
        }
        _ => Err(BAD),
    }
}

/// RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, content description, and our own
/// additions: whatever says who asks, since trailers may be merged into the headers by who comes after.
pub fn is_forbidden_trailer(name: &[u8]) -> bool {
    const NAMES: [&str; 28] = [
        "accept",
        "age",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "origin",
        "range",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let plain = |byte: u8| match byte {
        b'_' | b'.' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    let is = |forbidden: &str| {
        let same = |(a, b): (&u8, u8)| plain(*a) == b;
        forbidden.len() == name.len() && name.iter().zip(forbidden.bytes()).all(same)
    };
    let starts = |prefix: &str| {
        let same = |(a, b): (&u8, u8)| plain(*a) == b;
        name.len() >= prefix.len() && name.iter().zip(prefix.bytes()).all(same)
    };
    NAMES.iter().any(|forbidden| is(forbidden))
        || [
            "locum-",
            "proxy-",
            "x-forwarded",
            "x-original-",
            "x-real-",
            "x-rewrite-",
            "true-client-",
            "x-http-method",
            "x-method-",
            "sec-",
        ]
        .iter()
        .any(|prefix| starts(prefix))
}
