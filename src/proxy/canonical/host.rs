//! Which host a request is for, if it says so once (RFC 9112 §3.2, RFC 9113 §8.3.1).

use super::fields::Fields;
use crate::model::{Findings, Reason};
use http::Version;
use http::request::Parts;
use std::borrow::Cow;

/// A host and port, as a Host header names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// In lower case. An IPv6 address keeps its brackets.
    pub name: Cow<'a, str>,
    /// None where it was left out.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Strict: letters, digits, `-`, `.`, `_`, or an address in brackets; then maybe a port without leading
    /// zeros. No user information, no list, no percent-encoding, no empty port.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, port) = match text.rfind(':') {
            Some(at) if !text.ends_with(']') => (text.get(..at)?, Some(text.get(at + 1..)?)),
            _ => (text, None),
        };
        let port = match port {
            Some(digits) => Some(port_number(digits)?),
            None => None,
        };
        if !is_name(name) {
            return None;
        }
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        Some(Self { name, port })
    }

    /// Whether both name the same origin on a connection of this kind.
    pub fn is_same(&self, other: &Self, is_tls: bool) -> bool {
        let default = if is_tls { 443 } else { 80 };
        self.name == other.name && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

fn port_number(digits: &str) -> Option<u16> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_plain { digits.parse().ok() } else { None }
}

fn is_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.bytes().all(is_allowed)
}

/// The one host that the request names. What is wrong with it goes to `findings`.
pub(super) fn of<'a>(
    parts: &'a Parts,
    fields: &Fields<'a>,
    is_tls: bool,
    findings: &mut Findings,
) -> Option<Authority<'a>> {
    let is_http1 = parts.version < Version::HTTP_2;
    if fields.hosts > 1 {
        findings.insert(Reason::HostDuplicate);
    }
    let header = fields.host.map(|value| {
        let text = value.to_str().ok();
        text.and_then(Authority::parse)
    });
    let target = parts.uri.authority();
    let target = target.map(|authority| Authority::parse(authority.as_str()));
    if header == Some(None) || target == Some(None) || (is_http1 && header.is_none()) {
        findings.insert(Reason::HostInvalid);
        return None;
    }
    match (header.flatten(), target.flatten()) {
        (Some(header), Some(target)) => {
            let is_scheme = |name: &str| parts.uri.scheme_str() == Some(name);
            let is_own_scheme = !is_http1 || is_scheme(if is_tls { "https" } else { "http" });
            let is_same = header.is_same(&target, is_tls);
            if is_http1 && !(is_same && is_own_scheme) {
                findings.insert(Reason::TargetAbsolute);
            }
            if !is_same {
                findings.insert(Reason::HostConflict);
            }
            Some(header)
        }
        (Some(host), None) | (None, Some(host)) => Some(host),
        (None, None) => {
            findings.insert(Reason::HostInvalid);
            None
        }
    }
}
