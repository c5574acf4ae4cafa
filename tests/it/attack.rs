//! Attacks on a running Locum, in front of an app that keeps every byte it is sent. Each was found by trying.

mod client;
mod rig;

use client::{h2_post_with_trailer, raw};
use rig::{Answer, Rig};

const HANDSHAKE: &str =
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn only_a_handshake_is_forwarded_as_one() {
    let rig = Rig::start("");
    let session = rig.session();
    // Judged as what it is without the upgrade, so forwarded without it: method, body and all.
    for upgrade in [
        "Upgrade: websocket\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
    ] {
        let request = session.request(
            "POST",
            "/act",
            &format!("{upgrade}{HANDSHAKE}Content-Length: 2\r\n"),
        );
        raw(rig.address, &format!("{request}hi"));
        let seen = rig.app.take();
        assert_eq!(seen.len(), 1, "{upgrade}: {seen:?}");
        assert!(seen[0].starts_with("POST /act HTTP/1.1"), "{seen:?}");
        assert!(seen[0].ends_with("\r\n\r\nhi"), "{seen:?}");
        assert!(!seen[0].contains("upgrade: websocket"), "{seen:?}");
    }
    raw(
        rig.address,
        &session.request(
            "GET",
            "/page",
            &format!("Upgrade: websocket\r\n{HANDSHAKE}"),
        ),
    );
    let seen = rig.app.take();
    assert!(
        seen.len() == 1 && !seen[0].contains("upgrade: websocket"),
        "{seen:?}"
    );
    // A real one is for rows with `websocket` alone, however many protocols it lists.
    let real =
        |list: &str| format!("Connection: keep-alive, Upgrade\r\nUpgrade: {list}\r\n{HANDSHAKE}");
    let said = raw(
        rig.address,
        &session.request("GET", "/page", &real("websocket")),
    );
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    let said = raw(
        rig.address,
        &session.request("GET", "/page", &real("x, WebSocket")),
    );
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    let said = raw(rig.address, &session.request("GET", "/live", ""));
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    assert!(rig.app.take().is_empty());
    let said = raw(
        rig.address,
        &session.request("GET", "/live", &real("x, websocket")),
    );
    assert!(said.starts_with("HTTP/1.1 101"), "{said}");
    let seen = rig.app.take();
    assert!(seen[0].contains("upgrade: websocket\r\n"), "{seen:?}");
}

#[test]
fn a_handshake_with_a_body_reaches_nobody() {
    let rig = Rig::start("");
    let session = rig.session();
    // The app would take the first frame's start for the body, and read another first frame than was judged.
    for framing in ["Content-Length: 6\r\n", "Transfer-Encoding: chunked\r\n"] {
        let more = format!("Connection: upgrade\r\nUpgrade: websocket\r\n{framing}{HANDSHAKE}");
        let said = raw(
            rig.address,
            &format!("{}abcdef", session.request("GET", "/live", &more)),
        );
        assert!(said.starts_with("HTTP/1.1 400"), "{framing}: {said}");
        assert!(rig.app.take().is_empty());
    }
}

#[test]
fn a_protocol_that_nobody_asked_for_is_not_switched_to() {
    let rig = Rig::start("");
    let session = rig.session();
    rig.app.answer(Answer::Raw(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ));
    let said = raw(rig.address, &session.request("GET", "/page", ""));
    assert!(said.starts_with("HTTP/1.1 502"), "{said}");
}

#[test]
fn trailers_say_nothing_that_headers_may_not() {
    let rig = Rig::start("");
    let session = rig.session();
    let chunked = session.request(
        "POST",
        "/act",
        "Transfer-Encoding: chunked\r\nTrailer: locum-assertion\r\n",
    );
    let said = raw(
        rig.address,
        &format!("{chunked}2\r\nhi\r\n0\r\nLocum-Assertion: forged\r\n\r\n"),
    );
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    // Over HTTP/2 nobody has looked at the bytes. Some are refused, an unknown spelling is taken out.
    for (name, status) in [
        ("locum-assertion", 400),
        ("locum_assertion", 400),
        ("cookie", 400),
        ("x_forwarded_for", 400),
        ("x-real-ip", 400),
        ("x-sum", 200),
    ] {
        assert_eq!(
            h2_post_with_trailer(rig.address, &session, "/act", name),
            status,
            "{name}"
        );
    }
    let seen = rig.app.take().concat();
    assert!(seen.matches("forged").count() <= 1, "{seen}");
    rig.app.answer(Answer::Raw(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: set-cookie, x-sum\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: sid=customers\r\nX-Sum: 1\r\n\r\n",
    ));
    let said = raw(
        rig.address,
        &session.request("GET", "/page", "TE: trailers\r\n"),
    );
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(!said.contains("customers"), "{said}");
}

#[test]
fn what_speaks_for_the_customer_is_not_echoed() {
    let rig = Rig::start("");
    let session = rig.session();
    for method in ["TRACE", "TRACK"] {
        let said = raw(rig.address, &session.request(method, "/any", ""));
        assert!(said.starts_with("HTTP/1.1 501"), "{method}: {said}");
    }
    assert!(rig.app.take().is_empty());
    rig.app.answer(Answer::Raw(
        "HTTP/1.1 200 OK\r\nLocum-Assertion: eyJ\r\nSet-Cookie: sid=customers\r\nContent-Length: 2\r\n\r\nok",
    ));
    let said = raw(rig.address, &session.request("GET", "/page", "")).to_ascii_lowercase();
    assert!(said.starts_with("http/1.1 200"), "{said}");
    assert!(
        !said.contains("locum-assertion") && !said.contains("customers"),
        "{said}"
    );
}

#[test]
fn a_session_is_good_at_its_own_origin_only() {
    let rig = Rig::start("");
    let (one, two) = (rig.session(), rig.session());
    let page = |host: &str, cookies: &[&str]| {
        let lines = cookies.iter().fold(String::new(), |lines, cookie| {
            lines + "Cookie: " + cookie + "\r\n"
        });
        raw(
            rig.address,
            &format!("GET /page HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"),
        )
    };
    let forged = one.cookie.replace(|c: char| c.is_ascii_uppercase(), "A");
    let swapped = format!(
        "__Host-locum={}.{}",
        one.id(),
        two.cookie.split_once('.').unwrap().1
    );
    let own = format!("shop.localhost:{}", rig.address.port());
    for (host, cookies) in [
        (&*one.host, &[][..]),
        (&one.host, &[&*two.cookie]),
        (&one.host, &[&*forged]),
        (&one.host, &[&*swapped]),
        (&one.host, &[&*one.cookie, &*one.cookie]),
        (&one.host, &[&*two.cookie, &*one.cookie]),
        (&own, &[&*one.cookie]),
        ("evil.example", &[&*one.cookie]),
    ] {
        let said = page(host, cookies);
        assert!(
            said.starts_with("HTTP/1.1 40"),
            "{host} {cookies:?}: {said}"
        );
    }
    assert!(rig.app.take().is_empty());
    assert!(page(&one.host, &[&one.cookie]).starts_with("HTTP/1.1 200"));
}

#[test]
fn in_inline_placement_reserved_paths_and_claims_stay_here() {
    let rig = Rig::start("");
    let get = |path: &str, more: &str| {
        raw(
            rig.address,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: inline.example\r\nConnection: close\r\n{more}\r\n"
            ),
        )
    };
    for path in [
        "/.locum/start?code=c0de&session=x",
        "/.locum",
        "/%2elocum/start?code=c0de",
    ] {
        let said = get(path, "");
        assert!(said.starts_with("HTTP/1.1 40"), "{path}: {said}");
    }
    assert!(rig.app.take().is_empty());
    let claims =
        "Locum-Assertion: forged\r\nlocum_assertion: forged\r\nLOCUM.ASSERTION: forged\r\n";
    let said = get("/page", claims);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let seen = rig.app.take().concat();
    assert!(
        seen.starts_with("GET /page") && !seen.contains("forged"),
        "{seen}"
    );
}

#[test]
fn behind_a_proxy_protocol_the_clients_own_claims_are_not_believed() {
    let rig = Rig::start("proxy_protocol = \"any\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let said = raw(
        rig.address,
        "PROXY TCP4 203.0.113.9 127.0.0.1 4000 443\r\nGET /page HTTP/1.1\r\nHost: inline.example\r\nConnection: close\r\nX-Forwarded-For: 10.9.9.9\r\n\r\n",
    );
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let seen = rig.app.take().concat();
    assert!(seen.contains("x-forwarded-for: 203.0.113.9\r\n"), "{seen}");
}

#[test]
fn another_method_cannot_hide_in_a_body() {
    let rig = Rig::start("");
    let session = rig.session();
    for (kind, body) in [
        ("application/json", r#"{"_method":"DELETE"}"#),
        ("text/plain", r#"{"\u005fmethod":"DELETE"}"#),
        ("application/x-www-form-urlencoded", ".method=DELETE"),
        ("application/x-www-form-urlencoded", "_method%00=DELETE"),
    ] {
        let more = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        let said = raw(
            rig.address,
            &format!("{}{body}", session.request("POST", "/act", &more)),
        );
        assert!(said.starts_with("HTTP/1.1 400"), "{body}: {said}");
        let seen = rig.app.take().concat();
        assert!(!seen.contains("DELETE"), "{seen}");
    }
}

#[test]
fn a_page_fetched_by_a_script_is_not_shown_from_the_cache() {
    let rig = Rig::start("");
    let session = rig.session();
    rig.app.answer(Answer::Raw(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\n<p>x",
    ));
    let said = raw(
        rig.address,
        &session.request("GET", "/page", "Sec-Fetch-Dest: empty\r\n"),
    );
    let said = said.to_ascii_lowercase();
    assert!(said.contains("cache-control: max-age=600"), "{said}");
    assert!(said.contains("vary: sec-fetch-dest"), "{said}");
}

#[test]
fn a_connection_that_asks_nothing_is_not_kept() {
    let rig = Rig::start("");
    // The preface and empty SETTINGS, then silence.
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for silence in [preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let began = std::time::Instant::now();
        assert!(
            client::is_closed_after(rig.address, silence, 20),
            "after {:?}",
            began.elapsed()
        );
    }
}
