//! What the app is told of the way that a request came.

use super::inbound::Inbound;
use super::setup::{AppOrigin, Setup};
use super::upstream::forward::{Hop, Key, Scheme, Stamp};
use http::HeaderMap;

/// Sets `Host`, `Forwarded`, `X-Forwarded-*` and `Via` as `origin` wants them.
pub fn stamp(setup: &Setup, origin: &AppOrigin, inbound: &Inbound, headers: &mut HeaderMap) {
    let client = inbound.client();
    let key = Key {
        setup: setup.serial,
        origin: std::ptr::from_ref(origin).addr(),
        version: inbound.parts.version,
    };
    client.stamps.apply(key, inbound.host(), headers, || {
        let hop = Hop {
            peer: client.peer.ip(),
            trusted: client.is_trusted_proxy,
            scheme: if setup.scheme == "https" {
                Scheme::Https
            } else {
                Scheme::Http
            },
            host: &String::from_utf8_lossy(inbound.host()),
            version: inbound.parts.version,
        };
        Stamp::new(&origin.forward, &hop)
    });
}
