//! Each form says what happened, and only that.

use super::Fixture;
use crate::audit::export::warc_reader::Records;
use crate::audit::export::{ExportError, Wanted, har, records, warc};
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use std::io::{BufReader, Read as _};

fn har_of(fixture: &Fixture, max_body: usize) -> Value {
    let mut out = Vec::new();
    har::write(&fixture.facts, Some(&fixture.tape), max_body, &mut out).expect("a HAR");
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn only_what_is_about_the_session_is_gathered() {
    let fixture = Fixture::new();
    let seqs: Vec<u64> = fixture.entries.iter().map(|it| it.sequence).collect();
    assert_eq!(
        seqs[..3],
        [1, 3, 4],
        "the request, the grant, and no other session"
    );
    assert_eq!(fixture.facts.operator, "ada@support.example");
    let noted = fixture
        .facts
        .exchange(&fixture.noted.to_string())
        .expect("known");
    assert_eq!(
        (noted.status, noted.records.len(), noted.rule.as_str()),
        (200, 2, "orders")
    );
}

#[test]
fn a_har_has_every_exchange_in_plain_form() {
    let fixture = Fixture::new();
    let har = har_of(&fixture, 1 << 20);
    let entries = har["log"]["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 6, "five recorded, one only refused");
    let by = |path: &str| {
        let found = entries.iter().find(|it| {
            let url = it["request"]["url"].as_str().unwrap_or_default();
            url.split_once(".example")
                .is_some_and(|(_, rest)| rest == path)
        });
        found.unwrap_or_else(|| panic!("{path}"))
    };
    let home = by("/?page=1");
    let text = home["response"]["content"]["text"].as_str().expect("text");
    assert!(
        text.ends_with("SUPPORT SESSION"),
        "as the operator saw it: {text}"
    );
    assert_eq!(home["request"]["queryString"][0]["value"], "1");
    assert_eq!(home["request"]["cookies"][1]["name"], "c");
    assert_eq!(home["pageref"], har["log"]["pages"][0]["id"]);
    assert_eq!(
        by("/orders/1/notes")["request"]["postData"]["text"],
        "text=Sent+again&csrf=x"
    );
    assert_eq!(
        by("/orders/1/notes")["response"]["redirectURL"],
        "/orders/1"
    );
    assert_eq!(by("/logo.png")["response"]["content"]["encoding"], "base64");
    assert_eq!(by("/ws")["_webSocketMessages"][1]["type"], "send");
    assert_eq!(by("/export")["_recorded"], false);
    assert_eq!(by("/api/orders")["_journal"]["rule"], "orders");
    let short = har_of(&fixture, 10);
    let text = short.to_string();
    assert!(
        text.contains("longer than 10 bytes") && !text.contains("SUPPORT SESSION"),
        "{text}"
    );
}

#[test]
fn a_warc_has_the_bytes_with_their_digests_in_a_member_each() {
    let fixture = Fixture::new();
    let mut out = Vec::new();
    warc::write(&fixture.facts, &fixture.tape, &mut out).expect("a WARC");
    let mut again = Vec::new();
    warc::write(&fixture.facts, &fixture.tape, &mut again).expect("a WARC");
    assert_eq!(out, again, "the same bytes each time");
    let members = memchr::memmem::find_iter(&out, b"\x1f\x8b\x08").count();
    let mut records = Records::new(BufReader::new(MultiGzDecoder::new(out.as_slice())));
    let mut kinds = Vec::new();
    while let Some(head) = records.next().expect("a record") {
        let mut block = Vec::new();
        records
            .block(&head)
            .read_to_end(&mut block)
            .expect("a block");
        records.end().expect("its end");
        let kind = head.field("warc-type").to_owned();
        if kind == "response" && head.field("warc-target-uri").ends_with("/?page=1") {
            let text = String::from_utf8(block).expect("plain");
            assert!(
                text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/html"),
                "{text}"
            );
            assert!(text.ends_with("SUPPORT SESSION"), "{text}");
        }
        kinds.push(kind);
    }
    let count = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!(kinds[0], "warcinfo");
    assert_eq!(
        (count("response"), count("request"), count("metadata")),
        (5, 3, 5)
    );
    assert_eq!(
        count("resource"),
        2,
        "what the app had sent, and the messages"
    );
    assert!(
        members >= kinds.len(),
        "{members} members for {} records",
        kinds.len()
    );
}

#[test]
fn more_records_than_may_be_are_refused_and_a_session_without_any() {
    let fixture = Fixture::new();
    let journal = fixture.dir.path().join("journal");
    let wanted = Wanted {
        session: fixture.facts.session.clone(),
        ..Wanted::default()
    };
    let found = records(&journal, &wanted, 2);
    assert!(matches!(found, Err(ExportError::TooMuch { most: 2, .. })));
    let unknown = Wanted {
        session: "s00000000000000000000000000".into(),
        ..Wanted::default()
    };
    let found = records(&journal, &unknown, 2);
    assert!(matches!(found, Err(ExportError::Unknown(_))));
}
