//! What is a WebSocket's opening handshake, and what only looks like one, on the real binary.

use crate::probed::Probed;

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

fn raw(probed: &Probed, method: &str, fields: &[&str]) -> String {
    let (host, cookie) = (&probed.host, &probed.cookie);
    let fields = fields.concat();
    format!("{method} /ws HTTP/1.1\r\nHost: {host}\r\n{cookie}{fields}\r\n")
}

#[tokio::test]
async fn a_version_that_nobody_speaks_is_answered_with_the_one_that_is() {
    let probed = Probed::start("").await;
    let two = [VERSION, VERSION].concat();
    for version in ["", "Sec-WebSocket-Version: 8\r\n", &two] {
        let request = raw(&probed, "GET", &[UPGRADE, KEY, version]);
        let answer = probed.ask(request.as_bytes()).await;
        assert_eq!(answer.status, 426, "{version:?}: {answer:?}");
        for field in [
            "\r\nsec-websocket-version: 13",
            "\r\nupgrade: websocket",
            "\r\nconnection: upgrade",
        ] {
            assert!(answer.head.contains(field), "{field}: {answer:?}");
        }
        let records = probed.records_of(&answer.exchange());
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["status_detail"], "websocket-version");
    }
    assert!(probed.app.is_untouched());
}

#[tokio::test]
async fn a_handshake_without_a_key_or_with_a_body_is_refused() {
    let probed = Probed::start("").await;
    let short = "Sec-WebSocket-Key: dGhl\r\n";
    for (fields, reason) in [
        (vec![UPGRADE, VERSION], "websocket-key"),
        (vec![UPGRADE, VERSION, short], "websocket-key"),
        (
            vec![UPGRADE, VERSION, KEY, "Content-Length: 2\r\n"],
            "websocket-body",
        ),
    ] {
        let request = raw(&probed, "GET", &fields) + "hi";
        let answer = probed.ask(request.as_bytes()).await;
        assert_eq!(answer.status, 400, "{fields:?}: {answer:?}");
        let records = probed.records_of(&answer.exchange());
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["status_detail"], reason);
    }
    assert!(probed.app.is_untouched());
}

/// Only a GET that nominates its upgrade asks for a WebSocket (RFC 6455 §4.1, RFC 9110 §7.8): anything else goes to
/// the app as the plain request that it is, with nothing in it that asks for an upgrade.
#[tokio::test]
async fn what_is_no_handshake_is_forwarded_as_a_plain_request() {
    let probed = Probed::start("").await;
    for (method, fields) in [
        ("POST", vec![UPGRADE, KEY, VERSION, "Content-Length: 0\r\n"]),
        ("GET", vec!["Upgrade: websocket\r\n", KEY, VERSION]),
        ("GET", vec!["Connection: Upgrade\r\n", KEY, VERSION]),
    ] {
        let request = raw(&probed, method, &fields);
        let answer = probed.ask(request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{method} {fields:?}: {answer:?}");
    }
    assert_eq!(probed.app.read_strictly(), 3);
    let seen = String::from_utf8_lossy(&probed.app.bytes().concat()).to_lowercase();
    assert!(!seen.contains("\r\nupgrade:") && !seen.contains("\r\nconnection: upgrade"));
}
