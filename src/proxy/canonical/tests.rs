//! One table a concern, and what must hold of any path.

use super::{Authority, Canonical, Seen, Spoofable, Upgrades, canonical, status, strip_hop_by_hop};
use crate::model::{Findings, Reason};
use http::request::Parts;
use http::{HeaderMap, Request, Version};
use proptest::prelude::*;

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn get(target: &str) -> Parts {
    parts("GET", target, &[("host", "a.example")])
}

fn read(parts: &Parts) -> Canonical<'_> {
    canonical(parts, &Seen::default())
}

fn names(findings: Findings) -> Vec<&'static str> {
    findings.iter().map(Reason::name).collect()
}

#[track_caller]
fn check_path(target: &str, path: &str, reasons: &[&str]) {
    let parts = get(target);
    let read = read(&parts);
    assert_eq!(read.path, path, "{target}");
    assert_eq!(names(read.findings), reasons, "{target}");
    assert!(read.upstream_target().starts_with(path), "{target}");
}

#[test]
fn plain_paths_are_not_copied() {
    for target in [
        "/",
        "/a/b.html",
        "/a-b_c~d/!$&'()*+,=:@[x]",
        "/a/..b/...",
        "/.well-known/x",
    ] {
        check_path(target, target, &[]);
        let parts = get(target);
        assert!(
            matches!(read(&parts).path, std::borrow::Cow::Borrowed(_)),
            "{target}"
        );
    }
}

#[test]
fn unreserved_characters_match_as_decoded() {
    check_path("/%61dm%69n/%7euser", "/admin/~user", &[]);
    check_path("/a%3ab%20c%c3%a9", "/a%3Ab%20c%C3%A9", &[]);
}

#[test]
fn every_trick_in_a_path_has_its_name() {
    check_path("/a%2fb", "/a/b", &["encoded-slash"]);
    check_path("/a%5Cb", "/a%5Cb", &["backslash"]);
    check_path("/a\\b", "/a%5Cb", &["backslash"]);
    check_path("/a%00b", "/a%00b", &["encoded-nul"]);
    check_path("/a%0d%0aX:1", "/a%0D%0AX:1", &["encoded-control"]);
    check_path("/a/../b", "/b", &["dot-segment"]);
    check_path("/a/%2e%2E/b", "/b", &["dot-segment"]);
    check_path("/a/./b/.", "/a/b/", &["dot-segment"]);
    check_path("/../../..", "/", &["dot-segment"]);
    check_path("/a/..%2fb", "/b", &["encoded-slash", "dot-segment"]);
    check_path("/a%252fb", "/a%252fb", &["double-encoding"]);
    check_path("/a%25%32%66b", "/a%252fb", &["double-encoding"]);
    check_path("/100%25", "/100%25", &[]);
    check_path("/a%zzb", "/a%25zzb", &["malformed-triplet"]);
    check_path("/a%", "/a%25", &["malformed-triplet"]);
    check_path("/a%c0%af", "/a%C0%AF", &["malformed-triplet"]);
    check_path("/a%e0%80%af", "/a%E0%80%AF", &["malformed-triplet"]);
    check_path("/a;b=c", "/a;b=c", &["path-parameter"]);
    check_path("/a/..;/b", "/a/..;/b", &["path-parameter"]);
    check_path("//a", "//a", &["empty-segment"]);
    check_path("/a//b", "/a//b", &["empty-segment"]);
    check_path("/caf\u{e9}", "/caf%C3%A9", &["raw-non-ascii"]);
    check_path("/a|b^c\"{}", "/a%7Cb%5Ec%22%7B%7D", &["target-byte"]);
}

#[test]
fn queries_pass_as_they_are_but_for_what_cannot() {
    let check = |query: &str, wanted: &str, reasons: &[&str]| {
        let parts = get(&format!("/a?{query}"));
        let read = read(&parts);
        assert_eq!(read.query.as_deref(), Some(wanted));
        assert_eq!(names(read.findings), reasons, "{query}");
        assert_eq!(read.upstream_target(), format!("/a?{wanted}"));
    };
    check(
        "a=b&c[]=%2F;{\"x\":1}".replace('"', "%22").as_str(),
        "a=b&c[]=%2F;{%22x%22:1}",
        &[],
    );
    check("a_b=1+2", "a_b=1+2", &[]);
    check("q=100%", "q=100%25", &["malformed-triplet"]);
    check("q=%00", "q=%00", &["encoded-nul"]);
    check("q=é", "q=%C3%A9", &["raw-non-ascii"]);
    for key in [
        "_method",
        "%5Fmethod",
        "_METHOD",
        "_method[]",
        ".method",
        "+_method",
    ] {
        check(
            &format!("x=1&{key}=DELETE"),
            &format!("x=1&{key}=DELETE"),
            &["method-override"],
        );
    }
    check(
        "my_method=1&method=2&_methods=3",
        "my_method=1&method=2&_methods=3",
        &[],
    );
}

#[test]
fn there_is_one_host() {
    let check = |target: &str, headers: &[(&str, &str)], reasons: &[&str]| {
        let parts = parts("GET", target, headers);
        assert_eq!(
            names(read(&parts).findings),
            reasons,
            "{target} {headers:?}"
        );
    };
    check("/", &[("host", "a.example")], &[]);
    check("/", &[("host", "A.Example:8080")], &[]);
    check("/", &[("host", "[::1]:8080")], &[]);
    check("/", &[], &["host-invalid"]);
    check("/", &[("host", "a"), ("host", "a")], &["host-duplicate"]);
    for host in [
        "", "a,b", "u@a", "a/b", "a:", "a:x", "a:080", "a:70000", "[::1", "a b", "a%41", ".a",
        ":80",
    ] {
        check("/", &[("host", host)], &["host-invalid"]);
    }
    check("http://a.example/", &[("host", "A.example:80")], &[]);
    check(
        "http://b.example/",
        &[("host", "a.example")],
        &["host-conflict", "target-absolute"],
    );
    check(
        "https://a.example/",
        &[("host", "a.example")],
        &["target-absolute"],
    );
    check(
        "https://a.example:80/",
        &[("host", "a.example")],
        &["target-absolute"],
    );
    check(
        "http://u@a.example/",
        &[("host", "a.example")],
        &["host-invalid"],
    );
}

#[test]
fn over_http2_authority_and_host_must_agree() {
    let check = |target: &str, headers: &[(&str, &str)], reasons: &[&str]| {
        let mut parts = parts("GET", target, headers);
        parts.version = Version::HTTP_2;
        let read = canonical(
            &parts,
            &Seen {
                is_tls: true,
                ..Seen::default()
            },
        );
        assert_eq!(names(read.findings), reasons, "{target} {headers:?}");
    };
    check("https://a.example/", &[], &[]);
    check("https://a.example/", &[("host", "a.example:443")], &[]);
    check(
        "https://a.example/",
        &[("host", "b.example")],
        &["host-conflict"],
    );
    check("/", &[("host", "a.example")], &[]);
    check("/", &[], &["host-invalid"]);
}

#[test]
fn a_foreign_host_is_found_where_one_is_expected() {
    let parts = get("/");
    let serves = |host: &Authority<'_>| host.name == "b.example";
    let seen = Seen {
        serves: Some(&serves),
        ..Seen::default()
    };
    assert_eq!(names(canonical(&parts, &seen).findings), ["host-foreign"]);
}

#[test]
fn targets_that_are_no_path() {
    let host = [("host", "a.example")];
    let options = parts("OPTIONS", "*", &host);
    assert_eq!(
        (read(&options).findings, &*read(&options).path),
        (Findings::NONE, "*")
    );
    let star = parts("GET", "*", &host);
    assert_eq!(names(read(&star).findings), ["target-asterisk"]);
    let connect = parts("CONNECT", "a.example:443", &host);
    assert!(read(&connect).findings.contains(Reason::TargetAuthority));
}

#[test]
fn an_extended_connect_is_a_websocket() {
    let mut parts = parts("CONNECT", "https://a.example/ws", &[]);
    parts.version = Version::HTTP_2;
    parts
        .extensions
        .insert(hyper::ext::Protocol::from_static("websocket"));
    let read = canonical(
        &parts,
        &Seen {
            is_tls: true,
            ..Seen::default()
        },
    );
    assert_eq!((read.findings, read.is_websocket), (Findings::NONE, true));
}

#[test]
fn only_a_websocket_may_use_connect() {
    let mut parts = parts("CONNECT", "https://a.example/tunnel", &[]);
    parts.version = Version::HTTP_2;
    let protocol = hyper::ext::Protocol::from_static("connect-udp");
    parts.extensions.insert(protocol);
    let read = read(&parts);
    assert!(!read.is_websocket);
    assert_eq!(names(read.findings), ["target-authority"]);
}

#[test]
fn a_websocket_is_a_get_that_nominates_its_upgrade() {
    let asks = |method: &str, version: Version, fields: &[(&'static str, &'static str)]| {
        let mut all = vec![("host", "a.example")];
        all.extend_from_slice(fields);
        let mut parts = parts(method, "/", &all);
        parts.version = version;
        read(&parts).is_websocket
    };
    let whole = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
    ];
    assert!(asks("GET", Version::HTTP_11, &whole));
    assert!(!asks("POST", Version::HTTP_11, &whole));
    assert!(!asks("GET", Version::HTTP_10, &whole));
    assert!(!asks("GET", Version::HTTP_11, &whole[1..]));
    assert!(!asks("GET", Version::HTTP_11, &whole[..1]));
    assert!(!asks("GET", Version::HTTP_2, &whole));
}

#[test]
fn fields_that_change_what_a_request_means() {
    let check = |name: &str, value: &str, reasons: &[&str]| {
        let parts = parts("GET", "/", &[("host", "a.example"), (name, value)]);
        assert_eq!(names(read(&parts).findings), reasons, "{name}: {value}");
    };
    check(
        "connection",
        "close, Keep-Alive, upgrade, TE, trailers",
        &[],
    );
    check(
        "connection",
        "close, X-Forwarded-For",
        &["connection-nominates"],
    );
    check("connection", "authorization", &["connection-nominates"]);
    check("upgrade", "h2c", &["h2c-upgrade"]);
    check("upgrade", "websocket, H2C", &["h2c-upgrade"]);
    check("http2-settings", "AAMAAABk", &["h2c-upgrade"]);
    check("expect", "100-Continue", &[]);
    check("expect", "200-ok", &["expectation"]);
    for name in [
        "x-http-method-override",
        "X-HTTP-Method",
        "x-method-override",
        "x_http_method",
    ] {
        check(name, "DELETE", &["method-override"]);
    }
    for name in [
        "transfer_encoding",
        "content.length",
        "x_forwarded_for",
        "cookie_".trim_end_matches('_'),
    ] {
        let reasons: &[&str] = if name == "cookie" {
            &[]
        } else {
            &["header-alias"]
        };
        check(name, "a", reasons);
    }
    check("x_custom.name", "a", &[]);
    let lower = parts("get", "/", &[("host", "a.example")]);
    assert_eq!(names(read(&lower).findings), ["method-case"]);
}

#[test]
fn an_unknown_expectation_is_417() {
    let parts = parts("GET", "/", &[("host", "a"), ("expect", "x")]);
    assert_eq!(status(read(&parts).findings), 417);
}

#[test]
fn hop_by_hop_fields_end_here() {
    let fields = [
        ("connection", "close, X-Mine, te"),
        ("x-mine", "1"),
        ("keep-alive", "5"),
        ("te", "gzip, trailers"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "x"),
        ("trailer", "x-sum"),
        ("accept", "*/*"),
    ];
    let headers = parts("GET", "/", &fields).headers;
    let left = |upgrades| {
        let mut headers: HeaderMap = headers.clone();
        strip_hop_by_hop(&mut headers, upgrades);
        let mut left: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        left.sort();
        left
    };
    assert_eq!(
        left(Upgrades::Drop),
        ["accept: */*", "te: trailers", "trailer: x-sum"]
    );
    let kept = left(Upgrades::KeepWebSocket);
    assert!(
        kept.contains(&"upgrade: websocket".into()) && kept.contains(&"connection: upgrade".into())
    );
}

#[test]
fn spoofed_names_are_found_in_every_spelling() {
    let set = Spoofable::new(["X-User-Id", "Remote_User", "x-locum-*"]);
    for name in [
        "x-user-id",
        "x_user_id",
        "x.user-id",
        "remote-user",
        "x_locum_session",
        "x-locum-",
    ] {
        assert!(set.contains(name), "{name}");
    }
    for name in ["x-user", "x-user-idx", "y-user-id", "x-locum"] {
        assert!(!set.contains(name), "{name}");
    }
    let mut headers = parts(
        "GET",
        "/",
        &[("X_User.Id", "1"), ("x-user-id", "2"), ("accept", "a")],
    )
    .headers;
    assert_eq!(set.strip(&mut headers), 2);
    assert_eq!(headers.len(), 1);
}

fn fully_decoded(path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, super::path::triplet(after)) {
            (b'%', Some((value, after))) => {
                out.push(value);
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    out
}

fn any_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z0-9._~-]{0,4}",
        "%[0-9a-fA-F]{2}",
        Just("/".to_string()),
        Just("/..".to_string()),
        Just("%2e".to_string()),
        Just("%2F".to_string()),
        Just("%25".to_string()),
        Just("%".to_string()),
        "[;\\\\|é\"]",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn the_canonical_path_is_its_own(raw in any_path()) {
        let mut findings = Findings::NONE;
        let once = super::path::canonical(&raw, &mut findings).into_owned();
        let twice = super::path::canonical(&once, &mut Findings::default()).into_owned();
        prop_assert_eq!(&once, &twice);
        prop_assert!(once.starts_with('/') && once.is_ascii());
    }

    #[test]
    fn a_clean_path_means_what_was_sent(raw in any_path()) {
        let mut findings = Findings::NONE;
        let path = super::path::canonical(&raw, &mut findings);
        if findings.is_empty() {
            prop_assert_eq!(fully_decoded(&raw), fully_decoded(&path));
            let twice = fully_decoded(&String::from_utf8_lossy(&fully_decoded(&path)));
            let has_dots = |bytes: &[u8]| bytes.split(|byte| *byte == b'/').any(|part| part == b"..");
            prop_assert!(!has_dots(&fully_decoded(&path)) && !has_dots(&twice));
        }
    }

    #[test]
    fn no_text_panics(raw in "\\PC{0,40}", query in "\\PC{0,40}") {
        let _ = super::path::canonical(&raw, &mut Findings::default());
        let query = super::query::canonical(&query, &mut Findings::default()).into_owned();
        prop_assert!(query.is_ascii());
        let _ = Authority::parse(&raw);
    }

    #[test]
    fn what_is_forwarded_is_what_was_matched(raw in any_path()) {
        let Ok(uri) = raw.parse::<http::Uri>() else { return Ok(()) };
        let parts = get(&uri.to_string());
        let read = read(&parts);
        let target = read.path_and_query().unwrap();
        prop_assert_eq!(target.path(), &*read.path);
    }
}
