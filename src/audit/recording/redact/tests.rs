//! Bodies by their headers: what is looked through, and what is withheld.

use super::*;
use crate::audit::recording::settings::Name;
use http::HeaderValue;
use std::io::Write as _;

fn rules() -> Redaction {
    Redaction {
        fields: vec![Name::from("password")],
        selectors: vec!["input[type=password]".into(), ".card".into()],
        max_held: 4096,
        ..Redaction::none()
    }
}

fn stored(
    kind: &'static str,
    coding: &'static str,
    body: &[u8],
) -> Result<(Vec<u8>, bool), &'static str> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(kind));
    if !coding.is_empty() {
        headers.insert("content-encoding", HeaderValue::from_static(coding));
    }
    let mut filter = Filter::of(&rules(), &headers);
    let mut out = Vec::new();
    for piece in body.chunks(7) {
        filter.push(piece, &mut out)?;
    }
    let finished = filter.finish(&mut out)?;
    Ok((out, finished.is_decoded))
}

fn plain(kind: &'static str, body: &str) -> String {
    String::from_utf8(stored(kind, "", body.as_bytes()).unwrap().0).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_type_is_looked_through_in_its_own_way() {
    let json = r#"{"password":"hunter2","a":1}"#;
    for kind in [
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "application/x-ndjson",
    ] {
        assert_eq!(plain(kind, json), r#"{"password":"[redacted]","a":1}"#);
    }
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        plain(form, "password=hunter2&a=1"),
        "password=[redacted]&a=1"
    );
    assert_eq!(plain("text/plain", "password=hunter2"), "password=hunter2");
    let events = format!("id: 1\ndata: {json}\n\ndata: password\n\n");
    let expected = "id: 1\ndata: {\"password\":\"[redacted]\",\"a\":1}\n\ndata: password\n\n";
    assert_eq!(plain("text/event-stream", &events), expected);
}

#[test]
fn elements_lose_their_text_and_value_and_the_rest_stays_byte_for_byte() {
    let page = "<!DOCTYPE html><P Class='a'>x &amp; y<input type=password value='hunter2'>\
        <div class=card>4111 <b>1111</b></div><br/>\u{e9}</p>";
    let found = plain("text/html; charset=utf-8", page);
    assert!(
        !found.contains("hunter2") && !found.contains("1111"),
        "{found}"
    );
    assert!(
        found.contains("<P Class='a'>x &amp; y") && found.ends_with("<br/>\u{e9}</p>"),
        "{found}"
    );
    let quiet = "<html><body class=x>nothing <INPUT type=text value=1> here\r\n</body>";
    assert_eq!(plain("text/html", quiet), quiet);
}

#[test]
fn what_is_compressed_is_stored_as_it_was_unless_something_was_found() {
    let clean = gzip(r#"{"a":1}"#);
    assert_eq!(
        stored("application/json", "gzip", &clean),
        Ok((clean, false))
    );
    let secret = gzip(r#"{"password":1}"#);
    let expected = br#"{"password":"[redacted]"}"#.to_vec();
    assert_eq!(
        stored("application/json", "gzip", &secret),
        Ok((expected, true))
    );
}

#[test]
fn what_cannot_be_looked_through_is_not_stored() {
    let json = "application/json";
    for (kind, coding, body) in [
        (json, "gzip", b"no gzip".to_vec()),
        (json, "gzip, br", gzip("{}")),
        (json, "rot13", b"{}".to_vec()),
        (json, "", b"<html>".to_vec()),
        (json, "gzip", gzip(&" ".repeat(200_000))),
        (json, "gzip", vec![0; 5000]),
        ("application/json; charset=utf-16", "", b"{}".to_vec()),
        ("text/html; charset=utf-16le", "", b"<p>".to_vec()),
        ("multipart/form-data", "", b"--x".to_vec()),
    ] {
        assert!(stored(kind, coding, &body).is_err(), "{kind} {coding}");
    }
}

#[test]
fn messages_that_are_json_are_looked_through() {
    let rules = rules();
    let stored = |text: &'static str| message(&rules, Kind::Text, text.as_bytes());
    assert_eq!(stored("hello {").unwrap(), &b"hello {"[..]);
    assert_eq!(stored("[ok]").unwrap(), &b"[ok]"[..]);
    assert_eq!(
        stored(r#"{"password":1}"#).unwrap(),
        &br#"{"password":"[redacted]"}"#[..]
    );
    assert!(stored("{password: 1}").is_err());
}

#[test]
fn selectors_that_cannot_be_used_are_named() {
    let mut rules = rules();
    rules.selectors.push("p:nope(".into());
    let why = check(&rules).unwrap_err().to_string();
    assert!(why.contains("p:nope("), "{why}");
}
