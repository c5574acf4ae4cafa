//! Judges a request head line by line, in place. A verdict depends on the first bad line alone, so that it is
//! the same however the bytes were split over reads.

use super::bytes::{PATH, QUERY, TOKEN, has_control, is_in};
use super::{Fault, Limits};
use crate::model::{Findings, Reason};
use crate::proxy::canonical::Authority;

/// How far a head got. `Complete` carries its length with the empty line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Complete(usize),
    Refuse(Fault),
}

/// How the body after a head is framed (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Sized(u64),
    Chunked,
}

/// The lines of one head judged so far. Positions are from the head's first byte.
#[derive(Debug, Default)]
pub(super) struct Scan {
    judged: usize,
    searched: usize,
    lines: usize,
    length: Option<u64>,
    is_chunked: bool,
    is_http10: bool,
    findings: Findings,
    /// What a fold of the line before would be: framing fields are never unfolded.
    fold: Option<Reason>,
}

const fn refuse(reason: Reason) -> Fault {
    Fault::Ambiguous(reason)
}

impl Scan {
    /// What was found that can be rewritten.
    pub(super) fn findings(&self) -> Findings {
        self.findings
    }

    /// Valid once complete.
    pub(super) fn body(&self) -> Body {
        if self.is_chunked {
            Body::Chunked
        } else {
            Body::Sized(self.length.unwrap_or(0))
        }
    }

    /// Judges every whole line of `bytes`, which starts where the head starts.
    #[inline]
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &Limits) -> Step {
        if bytes.first().is_some_and(|&byte| !is_in(&TOKEN, byte)) {
            return Step::Refuse(refuse(Reason::Malformed));
        }
        loop {
            let unsearched = bytes.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unsearched) else {
                self.searched = bytes.len();
                return match self.too_large(bytes, bytes.len(), limits) {
                    Some(fault) => Step::Refuse(fault),
                    None => Step::More,
                };
            };
            let end = self.searched + at;
            if let Some(fault) = self.too_large(bytes, end, limits) {
                return Step::Refuse(fault);
            }
            let line = bytes.get(self.judged..end).unwrap_or_default();
            self.judged = end + 1;
            self.searched = end + 1;
            match self.line(line, limits) {
                Ok(false) => {}
                Ok(true) => return Step::Complete(self.judged),
                Err(fault) => return Step::Refuse(fault),
            }
        }
    }

    /// What is too large in a head whose next line ends at `end`, or has not ended there yet. Asked before the
    /// line is judged, so that it is one answer whether or not the line is whole.
    #[inline]
    fn too_large(&self, bytes: &[u8], end: usize, limits: &Limits) -> Option<Fault> {
        if self.lines > 0 {
            return (end >= limits.max_head_bytes).then_some(Fault::HeadTooLarge);
        }
        if end <= limits.max_method_bytes {
            return None;
        }
        let start = bytes.get(..=limits.max_method_bytes).unwrap_or_default();
        if !start.contains(&b' ') {
            return Some(refuse(Reason::Malformed));
        }
        let longest =
            limits.max_method_bytes + limits.max_uri_bytes + " ".len() + " HTTP/1.1\r".len();
        (end > longest.min(limits.max_head_bytes)).then_some(Fault::UriTooLong)
    }

    /// Judges one line without its LF; true for the empty line that ends the head.
    #[inline]
    fn line(&mut self, line: &[u8], limits: &Limits) -> Result<bool, Fault> {
        let line = if let Some(line) = line.strip_suffix(b"\r") {
            line
        } else {
            self.findings.insert(Reason::BareLf);
            line
        };
        if has_control(line) {
            return Err(refuse(Reason::ControlByte));
        }
        self.lines += 1;
        if self.lines == 1 {
            self.request_line(line, limits)?;
            return Ok(false);
        }
        let Some(&first) = line.first() else {
            self.end();
            return Ok(true);
        };
        if self.lines > limits.max_headers + 1 {
            return Err(Fault::TooManyHeaders);
        }
        if first == b' ' || first == b'\t' {
            return self.fold().map(|()| false);
        }
        let length = line.iter().position(|&byte| !is_in(&TOKEN, byte));
        match length.map(|length| line.split_at(length)) {
            Some((name, [b':', value @ ..])) if !name.is_empty() => self.field(name, value)?,
            _ => return Err(refuse(Reason::Malformed)),
        }
        Ok(false)
    }

    /// RFC 9112 §5.2. A fold with no field before it is no header line at all.
    fn fold(&mut self) -> Result<(), Fault> {
        if self.lines == 2 {
            return Err(refuse(Reason::Malformed));
        }
        if let Some(reason) = self.fold {
            return Err(refuse(reason));
        }
        self.findings.insert(Reason::ObsFold);
        Ok(())
    }

    #[inline]
    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.fold = None;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.fold = Some(Reason::HostInvalid),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.fold = Some(Reason::ContentLength);
                if self.length.is_some() {
                    return Err(refuse(Reason::ContentLength));
                }
                let length = content_length(value).ok_or(refuse(Reason::ContentLength))?;
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.fold = Some(Reason::TransferEncoding);
                // Names of codings are case-insensitive (RFC 9112 §7), but not to every parser.
                if self.is_chunked || self.is_http10 || without_leading_spaces(value) != b"chunked"
                {
                    return Err(refuse(Reason::TransferEncoding));
                }
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.is_chunked && self.length.is_some() {
            self.findings.insert(Reason::LengthAndEncoding);
        }
    }

    /// RFC 9112 §3: exactly one space between exactly three parts.
    #[inline]
    fn request_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Fault> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse(Reason::Malformed));
        };
        if method.len() > limits.max_method_bytes {
            return Err(refuse(Reason::Malformed));
        }
        if !method.iter().all(|&byte| is_in(&TOKEN, byte)) {
            return Err(refuse(Reason::Malformed));
        }
        if target.len() > limits.max_uri_bytes {
            return Err(Fault::UriTooLong);
        }
        self.version(version)?;
        if method == b"CONNECT" {
            return Err(refuse(Reason::TargetAuthority));
        }
        self.target(target)
    }

    /// RFC 9112 §2.3: `HTTP/` DIGIT `.` DIGIT. 1.2 and above would be 1.1 by the letter; nobody sends it.
    fn version(&mut self, version: &[u8]) -> Result<(), Fault> {
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.is_http10 = true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(refuse(Reason::Version));
            }
            _ => return Err(refuse(Reason::Malformed)),
        }
        Ok(())
    }

    /// RFC 9112 §3.2: origin-form, absolute-form or `*`.
    #[inline]
    fn target(&mut self, target: &[u8]) -> Result<(), Fault> {
        let path = match target {
            [b'/', ..] => target,
            b"*" => return Ok(()),
            _ => after_authority(target)?,
        };
        self.findings = self.findings.union(raw(path));
        Ok(())
    }
}

/// What follows the authority of an absolute-form target: empty, or from `/` or `?` on.
pub(super) fn after_authority(target: &[u8]) -> Result<&[u8], Fault> {
    let is_scheme = |scheme: &[u8]| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let start = if is_scheme(b"http://") {
        7
    } else if is_scheme(b"https://") {
        8
    } else {
        let is_authority = target.contains(&b':') && !target.contains(&b'/');
        let is_authority = is_authority && !target.is_empty();
        return Err(refuse(if is_authority {
            Reason::TargetAuthority
        } else {
            Reason::Malformed
        }));
    };
    let rest = target.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    // What `http::Uri` would choke on never gets to a service that could record it.
    let authority = std::str::from_utf8(authority).ok();
    if authority.and_then(Authority::parse).is_none() {
        return Err(refuse(Reason::HostInvalid));
    }
    Ok(path)
}

/// What `path` and its query hold raw that they must not.
#[inline]
fn raw(path: &[u8]) -> Findings {
    let query = memchr::memchr(b'?', path);
    let (path, query) = path.split_at(query.unwrap_or(path.len()));
    let mut found = Findings::NONE;
    for (part, allowed) in [(path, &PATH), (query, &QUERY)] {
        if part.iter().all(|&byte| is_in(allowed, byte)) {
            continue;
        }
        for &byte in part.iter().filter(|&&byte| !is_in(allowed, byte)) {
            found.insert(match byte {
                b'#' => Reason::Fragment,
                b'\\' => Reason::Backslash,
                0x80.. => Reason::RawNonAscii,
                _ => Reason::TargetByte,
            });
        }
    }
    found
}

fn without_leading_spaces(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|&byte| byte != b' ');
    value
        .get(start.unwrap_or(value.len())..)
        .unwrap_or_default()
}

/// RFC 9110 §8.6 says 1*DIGIT. Leading zeros are octal to some, so they are no plain number here.
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = without_leading_spaces(value);
    let is_plain =
        !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
    if !is_plain || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
