//! What the policy is told of a request and of the grant that it comes under.

use crate::model::{Operator, Scope, Subject, Tenant, Timestamp};
use http::HeaderMap;
use std::net::IpAddr;

/// The head of one request, after the canonical stage.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The app's name in the configuration.
    pub app: &'a str,
    /// As on the wire (`GET`). For a WebSocket over HTTP/2 (RFC 8441) `CONNECT` counts as `GET`.
    pub method: &'a str,
    /// Begins with `/`; encoded unreserved characters decoded, without query.
    pub path: &'a str,
    /// As on the wire, without the `?`.
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// Whether the request opens a WebSocket: only rows with `websocket` permit those.
    pub is_websocket: bool,
}

/// The grant that a request comes under, and the moment.
#[derive(Clone, Copy)]
pub struct GrantFacts<'a> {
    pub scopes: &'a [Scope],
    pub operator: &'a Operator,
    pub subject: &'a Subject,
    pub tenant: &'a Tenant,
    pub ticket: &'a str,
    /// Who agreed to the grant.
    pub approvals: &'a [String],
    pub break_glass: bool,
    /// The client's address as the listener established it.
    pub client: Option<IpAddr>,
    pub now: Timestamp,
}

impl Facts<'_> {
    /// Whether a field is there that CGI-like apps take for `name`: `_` and `.` for `-`.
    pub(super) fn has_alias(&self, name: &http::HeaderName) -> bool {
        let plain = |byte: u8| {
            if matches!(byte, b'_' | b'.') {
                b'-'
            } else {
                byte
            }
        };
        let name = name.as_str();
        self.headers.keys().any(|other| {
            let other = other.as_str();
            other.len() == name.len()
                && other != name
                && other.bytes().map(plain).eq(name.bytes().map(plain))
        })
    }
}
