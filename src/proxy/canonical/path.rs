//! The path: decoded where that is safe, and every trick by name (RFC 3986 §2, §3.3, §6.2.2).

use crate::model::{Findings, Reason};
use std::borrow::Cow;

/// What a path may hold that needs no second look: pchar without `%` and `;`, and the brackets that browsers
/// leave as they are.
const PLAIN: [bool; 256] = {
    const MARKS: &[u8] = b"-._~!$&'()*+,=:@/[]";
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < MARKS.len() {
        table[MARKS[at] as usize] = true;
        at += 1;
    }
    table
};

/// The canonical form of `raw`; borrowed where it is `raw` itself. Adds to `findings` what is ambiguous in it.
pub(super) fn canonical<'a>(raw: &'a str, findings: &mut Findings) -> Cow<'a, str> {
    if is_plain(raw.as_bytes()) {
        return Cow::Borrowed(raw);
    }
    let decoded = decode(raw.as_bytes(), findings);
    let segments = || decoded.split(|byte| *byte == b'/').skip(1);
    if !decoded.starts_with(b"/") {
        findings.insert(Reason::Malformed);
    }
    if has_double_encoding(&decoded) {
        findings.insert(Reason::DoubleEncoding);
    }
    if decoded.windows(2).any(|pair| pair == b"//") {
        findings.insert(Reason::EmptySegment);
    }
    let path = if segments().any(|segment| matches!(segment, b"." | b"..")) {
        findings.insert(Reason::DotSegment);
        resolved(&decoded)
    } else {
        decoded
    };
    if path == raw.as_bytes() {
        return Cow::Borrowed(raw);
    }
    // Only ASCII is ever pushed.
    Cow::Owned(String::from_utf8(path).unwrap_or_default())
}

/// One pass: only plain bytes, no `//`, and no segment that starts with a dot.
#[inline]
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    let is_rooted = path.first() == Some(&b'/');
    is_rooted
        && path.iter().all(|&byte| {
            let is_tricky = before == b'/' && matches!(byte, b'/' | b'.');
            before = byte;
            PLAIN[usize::from(byte)] && !is_tricky
        })
}

fn decode(raw: &[u8], findings: &mut Findings) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 16);
    let mut rest = raw;
    while let [byte, after @ ..] = rest {
        rest = after;
        match *byte {
            b'%' => {
                if let Some((value, after)) = triplet(after) {
                    rest = after;
                    encoded(value, after, &mut out, findings);
                } else {
                    findings.insert(Reason::MalformedTriplet);
                    push_encoded(b'%', &mut out);
                }
            }
            b';' => {
                findings.insert(Reason::PathParameter);
                out.push(b';');
            }
            byte if PLAIN[usize::from(byte)] => out.push(byte),
            byte => {
                findings.insert(match byte {
                    b'\\' => Reason::Backslash,
                    b'#' => Reason::Fragment,
                    0x80.. => Reason::RawNonAscii,
                    _ => Reason::TargetByte,
                });
                push_encoded(byte, &mut out);
            }
        }
    }
    out
}

/// One encoded byte. What is after it tells whether it is an overlong form (RFC 3629 §3), with which some
/// decoders make a `/` or a `.` of something else.
fn encoded(value: u8, after: &[u8], out: &mut Vec<u8>, findings: &mut Findings) {
    let next = || {
        after
            .strip_prefix(b"%")
            .and_then(triplet)
            .map(|(next, _)| next)
    };
    match value {
        b'/' => {
            findings.insert(Reason::EncodedSlash);
            out.push(b'/');
            return;
        }
        b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            out.push(value);
            return;
        }
        b'\\' => findings.insert(Reason::Backslash),
        0 => findings.insert(Reason::EncodedNul),
        0x01..=0x1F | 0x7F => findings.insert(Reason::EncodedControl),
        0xC0 | 0xC1 => findings.insert(Reason::MalformedTriplet),
        0xE0 if next().is_some_and(|next| next < 0xA0) => findings.insert(Reason::MalformedTriplet),
        0xF0 if next().is_some_and(|next| next < 0x90) => findings.insert(Reason::MalformedTriplet),
        _ => {}
    }
    push_encoded(value, out);
}

/// The byte that two hex digits stand for, and what follows them.
pub(super) fn triplet(after_percent: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    match after_percent {
        [high, low, rest @ ..] => Some((digit(*high)? << 4 | digit(*low)?, rest)),
        _ => None,
    }
}

pub(super) fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'%');
    out.push(DIGITS[usize::from(byte >> 4)]);
    out.push(DIGITS[usize::from(byte & 15)]);
}

fn has_double_encoding(path: &[u8]) -> bool {
    memchr::memmem::find_iter(path, b"%25").any(|at| {
        let after = path.get(at + 3..).unwrap_or_default();
        triplet(after).is_some()
    })
}

/// RFC 3986 §5.2.4 on a path without percent-encoded dots.
fn resolved(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_open = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_open = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    if is_open {
        kept.push(b"");
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in &kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}
