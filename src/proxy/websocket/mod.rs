//! A WebSocket after its handshake (RFC 6455; over HTTP/2 by RFC 8441): relays both ways, counts, enforces what
//! the route says on what the client sends, and cuts when the session ends.
//!
//! Extensions must not have been agreed on (see [`strip_extensions`]): a message compressed by
//! permessage-deflate could not be judged.

mod frame;
mod inspect;
mod pipe;
mod relay;
mod rules;
mod taped;

pub use frame::{Malformed, Opcode};
pub use inspect::Refusal;
pub use relay::{Cause, Direction, Flow, Observer, Settings, Summary, relay};
pub use rules::{Judge, Mode, Rules};
pub use taped::Taping;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

/// Removes the client's offer of extensions from the handshake request. Call it before the request is sent on.
pub fn strip_extensions(headers: &mut HeaderMap) {
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
}

#[cfg(test)]
mod tests;
