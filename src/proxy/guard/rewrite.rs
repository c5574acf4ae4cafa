//! Writes a head that was judged readable, but not plain, in its one reading.

use super::bytes::{PATH, QUERY, escaped, is_in};
use super::head::after_authority;
use super::{Fault, Limits, Note};
use crate::model::{Findings, Reason};

/// A request that hyper surely takes, and that ends the connection. What it says is never looked at.
pub(super) const SYNTHETIC: &[u8] =
    b"GET /.locum/refused HTTP/1.1\r\nHost: locum.invalid\r\nConnection: close\r\n\r\n";

/// `head` with CRLF line ends, folds as one space, the target's raw bytes percent-encoded, and without
/// Content-Length where `found` says that Transfer-Encoding is there too.
pub(super) fn plain(head: &[u8], found: Findings) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 64);
    for (number, line) in head.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if number == 0 {
            request_line(line, &mut out);
        } else if line.first().is_some_and(|byte| b" \t".contains(byte)) {
            while out.last().is_some_and(|byte| b" \t\r\n".contains(byte)) {
                out.pop();
            }
            out.push(b' ');
            out.extend_from_slice(line.trim_ascii());
        } else if found.contains(Reason::LengthAndEncoding) && is_content_length(line) {
            continue;
        } else {
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn is_content_length(line: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    let start = line.get(..NAME.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

fn request_line(line: &[u8], out: &mut Vec<u8>) {
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let method = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or_default();
    let version = parts.next().unwrap_or_default();
    out.extend_from_slice(method);
    out.push(b' ');
    let is_origin = matches!(target, [b'/', ..] | b"*");
    let path = if is_origin {
        target
    } else {
        after_authority(target).unwrap_or_default()
    };
    out.extend_from_slice(target.get(..target.len() - path.len()).unwrap_or_default());
    let mut allowed = &PATH;
    for &byte in path {
        if byte == b'?' {
            allowed = &QUERY;
            out.push(byte);
        } else if is_in(allowed, byte) {
            out.push(byte);
        } else {
            encode(byte, out);
        }
    }
    out.push(b' ');
    out.extend_from_slice(version);
}

fn encode(byte: u8, out: &mut Vec<u8>) {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).map_or(b'0', |c| c as u8);
    out.push(b'%');
    out.push(digit(byte >> 4).to_ascii_uppercase());
    out.push(digit(byte & 15).to_ascii_uppercase());
}

/// The note on a head: what was found, and its request line as it was sent.
pub(super) fn note(head: &[u8], findings: Findings, fault: Option<Fault>, limits: &Limits) -> Note {
    let end = head.iter().position(|byte| b"\r\n".contains(byte));
    let line = head.get(..end.unwrap_or(head.len())).unwrap_or_default();
    let mut parts = line.splitn(2, |&byte| byte == b' ');
    let method = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    let version = memchr::memmem::rfind(rest, b" HTTP/");
    let target = rest
        .get(..version.unwrap_or(rest.len()))
        .unwrap_or_default();
    Note {
        findings,
        fault,
        method: escaped(method, limits.max_excerpt_bytes),
        target: escaped(target, limits.max_excerpt_bytes),
    }
}
