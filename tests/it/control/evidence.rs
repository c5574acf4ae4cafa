//! One session's recording on the real binary: looked at and exported over the API and by the command line, its package
//! verified with nothing else at hand, held, and erased by two people; all of it in the journal, which stays whole.

use super::desk::{Desk, Person};
use super::inside::{Inside, app};
use crate::support::locum::records;
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const REASON: &str = "Review of SUP-1042";

fn posted(who: &Person, path: &str, body: &Value) -> Value {
    let answer = who.post(path, body).expect("an answer");
    let is_yes = (200..300).contains(&answer.status);
    assert!(is_yes, "{path}: {}", answer.body);
    answer.json()
}

fn text(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("{name} in {value}"))
        .to_owned()
}

/// A session with a page, a refusal and a WebSocket, ended.
fn used(desk: &Desk) -> String {
    let [ada, bo, cy] = ["ada", "bo", "cy"].map(|id| desk.sign_in(id));
    let asked = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"], "minutes": 30,
        "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Cannot see an invoice"
    });
    let asked = posted(&ada, "/api/v1/requests", &asked);
    let request = format!("/api/v1/requests/{}", text(&asked, "id"));
    let vote = json!({ "digest": asked["digest"], "verdict": "approve" });
    for who in [&bo, &cy] {
        posted(who, &format!("{request}/votes"), &vote);
    }
    let active = posted(&ada, &format!("{request}/activate"), &Value::Null);
    let inside = Inside::enter(&text(&active, "start_url"));
    assert_eq!(inside.ask("GET", "/orders/17").status, 200);
    assert_eq!(inside.ask("POST", "/orders/17").status, 403);
    assert_eq!(inside.say("/ws", "hello"), "hello");
    let session = text(&active, "session");
    let end = format!("/api/v1/sessions/{session}/end");
    posted(&ada, &end, &json!({ "reason": "Done" }));
    session
}

fn until(desk: &Desk, event: &str) -> Value {
    let limit = Instant::now() + PATIENCE;
    loop {
        let all = records(&desk.journal());
        let found = all.into_iter();
        let mut found = found.filter(|it| it["metadata"]["event_code"] == event);
        if let Some(found) = found.next() {
            return found;
        }
        assert!(Instant::now() < limit, "no {event}: {}", desk.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn desk() -> Desk {
    let mut desk = Desk::new(
        "recording = { ordinary = { record = 'bodies' } }\naudit.log = { interval = '1s' }",
    );
    app(desk.app);
    desk.start();
    desk
}

#[test]
fn a_recording_is_exported_held_and_erased_and_each_look_is_a_record() {
    let mut desk = desk();
    let session = used(&desk);
    let stream = until(&desk, "websocket.ended");
    assert_eq!(stream["locum"]["session"], session.as_str(), "{stream}");
    until(&desk, "session.ended");
    until(&desk, "recording.marked");
    exported(&desk, &session);
    erased(&desk, &session);
    let search = desk.command(&["--json", "audit", "search", "--session", &session, "--all"]);
    let found: Value = serde_json::from_str(&done(&search)).expect("JSON");
    assert!(found["records"].as_array().map_or(0, Vec::len) > 10);
    let limit = Instant::now() + PATIENCE;
    let by_hand = |it: &Value| {
        let query = it["locum"]["query"].as_str().unwrap_or_default();
        it["metadata"]["event_code"] == "records.searched"
            && it["locum"]["over"] == "cli"
            && query == format!("session={session}")
    };
    while !records(&desk.journal()).iter().any(by_hand) {
        assert!(Instant::now() < limit, "the search is not on record");
        std::thread::sleep(Duration::from_millis(20));
    }
    desk.stop();
    let all = records(&desk.journal());
    let count = |event: &str| {
        let of = |it: &&Value| it["metadata"]["event_code"] == event;
        all.iter().filter(of).count()
    };
    assert_eq!(
        count("recording.viewed"),
        4,
        "one by the API, three by the command line"
    );
    let viewed = all
        .iter()
        .find(|it| it["metadata"]["event_code"] == "recording.viewed");
    let viewed = &viewed.expect("a view")["locum"];
    assert_eq!(
        (&viewed["why"], &viewed["by"]),
        (&json!(REASON), &json!("una@support.example"))
    );
    assert_eq!(
        (count("recording.held"), count("recording.released")),
        (1, 1)
    );
    assert_eq!(
        (count("recording.erasure-asked"), count("recording.erased")),
        (1, 1)
    );
    let verified = desk.command(&["audit", "verify"]);
    let said = done(&verified);
    assert!(said.contains("1 recording was erased"), "{said}");
}

fn exported(desk: &Desk, session: &str) {
    let una = desk.sign_in("una");
    let path = format!("/api/v1/sessions/{session}/export");
    let unsaid = una.get(&format!("{path}?format=har")).expect("an answer");
    assert!(
        matches!(unsaid.status, 400 | 422),
        "a reason is needed: {}",
        unsaid.body
    );
    let ada = desk.sign_in("ada");
    let own = ada
        .get(&format!("{path}?format=har&reason=Mine"))
        .expect("an answer");
    assert_eq!(own.status, 403, "not by who was recorded: {}", own.body);
    let reason = REASON.replace(' ', "%20");
    let har = una.get(&format!("{path}?format=har&reason={reason}"));
    let har = har.expect("an answer");
    assert!(har.body.contains("/orders/17"), "{}", har.body);
    let token = desk.token("una");
    for (form, ending) in [("har", "har"), ("warc", "warc.gz"), ("package", "zip")] {
        let name = format!("{form}.{ending}");
        let arguments = ["session", "export", session, "--format", form, "-o", &name];
        let arguments = [&arguments[..], &["--reason", REASON]].concat();
        done(&desk.remote(&token, &arguments));
    }
    let har: Value = serde_json::from_slice(&std::fs::read(desk.file("har.har")).expect("a file"))
        .expect("JSON");
    let entries = har["log"]["entries"].as_array().expect("entries");
    let socket = entries.iter().find(|it| {
        it["request"]["url"]
            .as_str()
            .is_some_and(|it| it.ends_with("/ws"))
    });
    assert!(
        socket.is_some_and(|it| it.to_string().contains("hello")),
        "the messages of the WebSocket are in it"
    );
    let warc = std::fs::read(desk.file("warc.warc.gz")).expect("a file");
    assert_eq!(warc.get(..2), Some(&[0x1f, 0x8b][..]), "gzip");
    let key = done(&desk.command(&["audit", "key", "show"]));
    let key = key.split_whitespace().find(|it| it.contains('+'));
    let key = key.expect("a verifier key").to_owned();
    let package = desk.file("package.zip").display().to_string();
    let arguments = ["audit", "verify-package", &package, "--vkey", &key];
    let verified = desk.command(&arguments);
    done(&verified);
    let bytes = std::fs::read(&package).expect("a file");
    let mut bad = bytes.clone();
    bad[bytes.len() / 2] ^= 1;
    std::fs::write(&package, bad).expect("written");
    assert_eq!(desk.command(&arguments).status.code(), Some(1));
}

fn erased(desk: &Desk, session: &str) {
    let (sam, max) = (desk.token("sam"), desk.token("max"));
    let why = ["--reason", "case 812"];
    let by = |who: &str, arguments: &[&str]| {
        desk.remote(who, &[&["--json", "recording"], arguments, &why].concat())
    };
    let held = by(&sam, &["hold", "--tenant", "acme"]);
    let held: Value = serde_json::from_str(&done(&held)).expect("JSON");
    let refused = by(&sam, &["erase", session]);
    assert_eq!(refused.status.code(), Some(1), "held: {refused:?}");
    let listed = desk.remote(&max, &["recording", "list", "--held"]);
    let listed = done(&listed);
    assert!(
        listed.contains(session) && listed.contains("case 812"),
        "{listed}"
    );
    done(&by(&max, &["release", &text(&held, "id")]));
    done(&by(&sam, &["erase", session]));
    let own = by(&sam, &["approve", session]);
    assert_eq!(
        own.status.code(),
        Some(1),
        "nobody agrees to their own: {own:?}"
    );
    let agreed = by(&max, &["approve", session]);
    let agreed: Value = serde_json::from_str(&done(&agreed)).expect("JSON");
    assert_eq!(agreed["state"], "erased", "{agreed}");
    let state = desk
        .journal()
        .parent()
        .expect("a directory")
        .join("recordings");
    let tape = state.join(format!("{session}.tape"));
    assert!(!tape.exists() && !tape.with_extension("key").exists());
}
