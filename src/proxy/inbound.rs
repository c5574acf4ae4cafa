//! A request as it came in, with all that its record says of it.

use super::canonical;
use super::client::Client;
use super::guard::{Fault, Note, Notes};
use super::worker::Taken;
use crate::audit::{Opening, Protocol};
use crate::model::ExchangeId;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;
use std::time::Instant;

/// Which connection a request came on.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub client: Arc<Client>,
    /// The guard's notes on this connection, where it is HTTP/1.
    pub notes: Option<Arc<Notes>>,
    /// The request's number on its connection, from 0.
    pub head: u64,
    /// Kept as long as the exchange lasts: a connection with one is not idle.
    pub busy: Option<Arc<Taken>>,
}

/// One request, before anything was decided about it.
pub struct Inbound {
    pub exchange: ExchangeId,
    pub started: Instant,
    pub arrival: Arrival,
    /// What the guard had to say of it.
    pub note: Option<Note>,
    pub parts: Parts,
    /// Whether it asks to become a WebSocket: RFC 6455 §4.1, or RFC 8441 §4 over HTTP/2.
    is_websocket: bool,
}

/// The body of a request: what policy had to read of it, and what is still to come.
#[derive(Debug)]
pub struct Payload {
    pub first: Option<Bytes>,
    pub rest: Option<Incoming>,
    /// What becomes of the connection if it is upgraded.
    pub upgrade: Option<OnUpgrade>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The headers hold cookies and tokens.
        f.debug_struct("Inbound")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// Whether any of the body is there or may still come.
    pub fn has_body(&self) -> bool {
        let is_over = |rest: &Incoming| http_body::Body::is_end_stream(rest);
        self.first.is_some() || !self.rest.as_ref().is_none_or(is_over)
    }
}

impl Inbound {
    pub fn new(
        mut arrival: Arrival,
        note: Option<Note>,
        request: http::Request<Incoming>,
    ) -> (Self, Payload) {
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        if let Some(named) = arrival.client.named_by_proxy(&parts.headers) {
            let mut client = Client::clone(&arrival.client);
            client.address = (named, 0).into();
            arrival.client = Arc::new(client);
        }
        let inbound = Self {
            exchange: ExchangeId::fresh(),
            started: Instant::now(),
            arrival,
            note,
            is_websocket: canonical::is_websocket(&parts),
            parts,
        };
        (
            inbound,
            Payload {
                first: None,
                rest: Some(body),
                upgrade,
            },
        )
    }

    pub fn client(&self) -> &Client {
        &self.arrival.client
    }

    pub fn is_h2(&self) -> bool {
        self.parts.version == http::Version::HTTP_2
    }

    /// `:authority`, or the `Host` header; empty if there is none.
    pub fn host(&self) -> &[u8] {
        match self.parts.uri.authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => self
                .parts
                .headers
                .get(header::HOST)
                .map_or(b"", |host| host.as_bytes()),
        }
    }

    /// What was wrong with its body's framing: the guard knows, hyper only says that it broke.
    pub fn body_fault(&self) -> Option<Fault> {
        self.arrival.notes.as_ref()?.body_fault(self.arrival.head)
    }

    /// Whether it asks to become a WebSocket: RFC 6455 §4.1, or RFC 8441 §4 over HTTP/2.
    pub fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// The method that policy and record see: an extended CONNECT is the WebSocket's GET.
    pub fn method(&self) -> &str {
        if self.is_h2() && self.is_websocket() {
            "GET"
        } else {
            self.parts.method.as_str()
        }
    }

    /// The method that goes out: an extended CONNECT (RFC 8441) is the HTTP/1.1 handshake it stands for.
    pub fn method_for_app(&self) -> Method {
        if self.is_websocket() {
            Method::GET
        } else {
            self.parts.method.clone()
        }
    }

    /// The part of a record that any request has.
    pub fn opening(&self) -> Opening<'_> {
        let fault = self.note.as_ref().filter(|note| note.fault.is_some());
        let target = self
            .parts
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        Opening {
            exchange: self.exchange,
            session: None,
            policy: None,
            decision: None,
            app: "",
            method: fault.map_or_else(|| self.method(), |note| &note.method),
            host: if fault.is_some() { b"" } else { self.host() },
            target: fault.map_or(target, |note| &note.target).as_bytes(),
            canonical: None,
            user_agent: self
                .parts
                .headers
                .get(header::USER_AGENT)
                .map(http::HeaderValue::as_bytes),
            client: self.arrival.client.address,
            upstream: None,
            protocol: match (self.is_websocket(), self.is_h2()) {
                (true, _) => Protocol::WebSocket,
                (false, true) => Protocol::Http2,
                (false, false) => Protocol::Http1,
            },
            record: crate::model::Record::None,
        }
    }
}
