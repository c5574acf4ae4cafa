//! A WebSocket's opening handshake: what the client must have sent, what the app gets, what the client gets back.

use super::body::ResponseBody;
use super::inbound::Inbound;
use super::refusal::Refusal;
use super::websocket;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};

/// The one version there is (RFC 6455 §4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Refuses a handshake that the app might read as something else: a version that RFC 6455 does not know (426),
/// no key or a malformed one, or a body, which the app would take for the first frames (400).
pub fn check(inbound: &Inbound, has_body: bool) -> Result<(), Refusal> {
    let headers = &inbound.parts.headers;
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
        return Err(wrong_version());
    }
    if has_body {
        return Err(malformed(
            "websocket-body",
            "A WebSocket's handshake has no body.",
        ));
    }
    // RFC 8441 §5: over HTTP/2 there is none.
    if !inbound.is_h2() && !has_key(headers) {
        return Err(malformed(
            "websocket-key",
            "Sec-WebSocket-Key is not 16 bytes in Base64 (RFC 6455 §4.1).",
        ));
    }
    Ok(())
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

fn has_key(headers: &HeaderMap) -> bool {
    let key = only(headers, &header::SEC_WEBSOCKET_KEY);
    key.and_then(|key| BASE64.decode(key).ok())
        .is_some_and(|key| key.len() == 16)
}

fn wrong_version() -> Refusal {
    Refusal::new(
        StatusCode::UPGRADE_REQUIRED,
        "websocket-version",
        "This version of WebSocket is not spoken here",
        "Connect with Sec-WebSocket-Version: 13.",
    )
}

fn malformed(reason: &'static str, detail: &'static str) -> Refusal {
    let title = "This is no WebSocket handshake";
    Refusal::new(StatusCode::BAD_REQUEST, reason, title, detail)
}

/// What a 426 must say: RFC 6455 §4.4 the version, RFC 9110 §15.5.22 the protocol.
pub fn require_upgrade(headers: &mut HeaderMap, is_h2: bool) {
    headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
    if !is_h2 {
        let upgrade = HeaderValue::from_static("upgrade");
        headers.insert(header::CONNECTION, upgrade);
        let websocket = HeaderValue::from_static("websocket");
        headers.insert(header::UPGRADE, websocket);
    }
}

/// RFC 8441 has no key; the HTTP/1.1 handshake towards the app needs one (RFC 6455 §4.1). Extensions are not
/// offered: a compressed message could not be judged.
pub fn for_app<B>(mut request: Request<B>) -> Request<B> {
    let headers = request.headers_mut();
    websocket::strip_extensions(headers);
    if !headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        let fresh = crate::model::ExchangeId::fresh().to_bits().to_be_bytes();
        if let Ok(key) = HeaderValue::try_from(BASE64.encode(fresh)) {
            headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
        headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
    }
    request
}

/// 101 for HTTP/1.1, 200 for an extended CONNECT; `from` is what the app answered.
pub fn answer(from: &HeaderMap, is_h2: bool) -> Response<ResponseBody> {
    let mut answer = Response::new(ResponseBody::empty());
    let headers = answer.headers_mut();
    for name in [header::SEC_WEBSOCKET_PROTOCOL, header::SET_COOKIE] {
        for value in from.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    if is_h2 {
        return answer;
    }
    for name in [
        header::SEC_WEBSOCKET_ACCEPT,
        header::UPGRADE,
        header::CONNECTION,
    ] {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(keys: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static(key));
        }
        headers
    }

    #[test]
    fn a_key_is_one_and_sixteen_bytes() {
        const GOOD: &str = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(has_key(&keyed(&[GOOD])));
        for bad in [&[][..], &[GOOD, GOOD], &["dGhl"], &["not base64!"], &[""]] {
            assert!(!has_key(&keyed(bad)), "{bad:?}");
        }
    }

    #[test]
    fn the_app_gets_a_key_where_the_client_had_none() {
        let request = for_app(Request::new(()));
        assert!(has_key(request.headers()));
        let mut offered = Request::new(());
        let deflate = HeaderValue::from_static("permessage-deflate");
        let extensions = header::SEC_WEBSOCKET_EXTENSIONS;
        offered.headers_mut().insert(&extensions, deflate);
        assert!(!for_app(offered).headers().contains_key(extensions));
    }
}
