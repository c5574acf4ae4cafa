//! The query: forwarded as sent, since applications differ in what they make of it; only what cannot be sent
//! on is encoded, and what a parser may stumble over is named.

use super::path::{push_encoded, triplet};
use crate::model::{Findings, Reason};
use std::borrow::Cow;

/// The query that is matched and forwarded; borrowed where it is `raw` itself.
pub(super) fn canonical<'a>(raw: &'a str, findings: &mut Findings) -> Cow<'a, str> {
    let bytes = raw.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"%_.\"<>#+".contains(byte);
    if bytes.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    if bytes.split(|byte| b"&;".contains(byte)).any(is_override) {
        findings.insert(Reason::MethodOverride);
    }
    let mut out = Vec::with_capacity(raw.len() + 16);
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = after;
        let reason = match *byte {
            b'%' => match triplet(after) {
                Some((value, _)) => {
                    if value == 0 {
                        findings.insert(Reason::EncodedNul);
                    }
                    out.push(b'%');
                    continue;
                }
                None => Reason::MalformedTriplet,
            },
            b'#' => Reason::Fragment,
            0x80.. => Reason::RawNonAscii,
            b'"' | b'<' | b'>' => Reason::TargetByte,
            byte => {
                out.push(byte);
                continue;
            }
        };
        findings.insert(reason);
        push_encoded(*byte, &mut out);
    }
    if out == bytes {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(String::from_utf8(out).unwrap_or_default())
}

fn is_override(parameter: &[u8]) -> bool {
    let end = parameter.iter().position(|byte| *byte == b'=');
    let key = parameter
        .get(..end.unwrap_or(parameter.len()))
        .unwrap_or_default();
    let mut name = Vec::new();
    let mut rest = key;
    while let [byte, after @ ..] = rest {
        let (value, after) = match (byte, triplet(after)) {
            (b'%', Some((value, after))) => (value, after),
            (b'+', _) => (b' ', after),
            _ => (*byte, after),
        };
        name.push(value);
        rest = after;
    }
    std::str::from_utf8(&name).is_ok_and(names_method_override)
}

/// Whether a decoded parameter or form field asks for another method: `_method`, in any case, as an array, and
/// as PHP reads it (`.` is `_` there, and leading spaces go).
pub fn names_method_override(key: &str) -> bool {
    let key = key.trim_start();
    let key = key.split('[').next().unwrap_or(key);
    let rest = key.strip_prefix(['_', '.']).unwrap_or_default();
    rest.eq_ignore_ascii_case("method")
}
