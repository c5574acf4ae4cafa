//! One evidence chain on the real binary: each step from the question to the review is a record, and so is whatever
//! Locum and its keepers do meanwhile.

use super::desk::{Desk, Person};
use super::inside::{Inside, app};
use crate::support::locum::records;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Step, what leaves its record, and a member that the record must have.
const STEPS: [(&str, &str, &str); 31] = [
    ("start of the process", "process.started", "durability"),
    ("policy that decides", "policy.loaded", "policy"),
    ("sign-in", "login.in", "by"),
    ("request", "request.created", "request"),
    ("vote", "vote.approve", "request"),
    ("all votes", "request.approved", "request"),
    ("activation", "session.activated", "session"),
    ("grant", "grant.issued", "grant"),
    ("session opens", "session.started", "session"),
    ("exchange opens", "exchange.opened", "rule"),
    ("exchange ends", "exchange.closed", "outcome"),
    ("refusal by policy", "exchange.refused", "rule"),
    ("stream ends", "websocket.ended", "session"),
    ("break-glass", "break-glass.opened", "incident"),
    ("break-glass, its request", "break-glass.opened", "request"),
    ("break-glass, its session", "break-glass.opened", "session"),
    ("its alert", "alert.raised", "by"),
    ("end asked for", "session.end-asked", "session"),
    ("session ends", "session.ended", "cause"),
    ("review", "review.certified", "by"),
    ("view of a recording", "recording.viewed", "why"),
    ("legal hold", "recording.held", "hold"),
    ("step refused to a person", "control.refused", "step"),
    ("lock", "lock.set", "key"),
    ("call of the API", "api.call", "path"),
    ("search of the records", "records.searched", "query"),
    ("sink that is down", "sink.state", "sink"),
    ("reload of the configuration", "config.reloaded", "config"),
    ("policy that was refused", "policy.refused", "problem"),
    ("grant of the command line", "grant.issued", "by"),
    ("end of the process", "process.stopped", "cause"),
];

fn posted(who: &Person, path: &str, body: &Value) -> Value {
    let answer = who.post(path, body).expect("an answer");
    assert!(
        (200..300).contains(&answer.status),
        "{path}: {}",
        answer.body
    );
    answer.json()
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
        .to_owned()
}

/// An ordinary session that is used, refused something and ended.
fn ordinary(desk: &Desk) -> String {
    let [ada, bo, cy] = ["ada", "bo", "cy"].map(|id| desk.sign_in(id));
    let asked = posted(
        &ada,
        "/api/v1/requests",
        &json!({
            "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"], "minutes": 30,
            "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Cannot see an invoice"
        }),
    );
    let id = text(&asked, "id");
    let vote = json!({ "digest": asked["digest"], "verdict": "approve" });
    let votes = format!("/api/v1/requests/{id}/votes");
    let own = ada.post(&votes, &vote).expect("an answer");
    assert_eq!(own.status, 403, "nobody agrees to their own: {}", own.body);
    for who in [&bo, &cy] {
        posted(who, &votes, &vote);
    }
    let active = posted(
        &ada,
        &format!("/api/v1/requests/{id}/activate"),
        &Value::Null,
    );
    let inside = Inside::enter(&text(&active, "start_url"));
    assert_eq!(inside.ask("GET", "/orders/1").status, 200);
    assert_eq!(inside.ask("POST", "/orders/1").status, 403);
    assert_eq!(inside.say("/ws", "hello"), "hello");
    let session = text(&active, "session");
    posted(
        &ada,
        &format!("/api/v1/sessions/{session}/end"),
        &json!({ "reason": "Done" }),
    );
    session
}

/// An emergency, ended and reviewed by somebody else.
fn emergency(desk: &Desk) {
    let (oz, sam) = (desk.sign_in("oz"), desk.sign_in("sam"));
    let asked = posted(
        &oz,
        "/api/v1/break-glass",
        &json!({
            "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "incident": "INC-7",
            "reason_code": "outage", "reason": "Checkout is down"
        }),
    );
    let active = posted(
        &oz,
        &format!("/api/v1/requests/{}/activate", text(&asked, "id")),
        &Value::Null,
    );
    let session = text(&active, "session");
    posted(
        &oz,
        &format!("/api/v1/sessions/{session}/end"),
        &json!({ "reason": "Over" }),
    );
    let reviews = sam.get("/api/v1/reviews").expect("an answer").json();
    let review = text(&reviews["items"][0], "id");
    let verdict = json!({ "justified": true, "findings": "As the incident says" });
    posted(&sam, &format!("/api/v1/reviews/{review}/verdict"), &verdict);
    posted(
        &sam,
        "/api/v1/locks",
        &json!({ "key": "ticket:SUP-666", "reason": "Smells wrong" }),
    );
    assert_eq!(sam.get("/evidence").expect("an answer").status, 200);
}

/// Somebody exports the recording, and keeps it.
fn looked_at(desk: &Desk, session: &str) {
    let path = format!("/api/v1/sessions/{session}/export?format=warc&reason=Complaint");
    let warc = desk.sign_in("una").get(&path).expect("an answer");
    assert_eq!(warc.status, 200, "{}", warc.body);
    let hold = json!({ "key": format!("session:{session}"), "reason": "Case 7" });
    posted(&desk.sign_in("sam"), "/api/v1/holds", &hold);
}

fn until(what: &str, desk: &Desk, done: impl Fn(&[Value]) -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done(&records(&desk.journal())) {
        assert!(Instant::now() < limit, "{what}: {}", desk.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn has(all: &[Value], event: &str) -> bool {
    all.iter().any(|it| it["metadata"]["event_code"] == event)
}

#[test]
fn every_step_leaves_its_record() {
    let mut desk = Desk::new(
        "recording = { ordinary = { record = 'bodies' } }\n\
         break_glass = { enabled = true, open_unalerted = true, reason_codes = ['outage'], scopes = ['view'] }\n\
         audit.sinks = [{ name = 'siem', kind = 'webhook', url = 'http://127.0.0.1:9/' }]",
    );
    app(desk.app);
    desk.start();
    let session = ordinary(&desk);
    emergency(&desk);
    until("the tape", &desk, |all| has(all, "recording.marked"));
    looked_at(&desk, &session);
    let issued = desk.command(&[
        "grant",
        "issue",
        "--app",
        "shop",
        "--operator",
        "eve",
        "--subject",
        "kim",
        "--tenant",
        "acme",
        "--ticket",
        "SUP-2",
        "--reason",
        "test",
        "--scope",
        "view",
    ]);
    assert!(issued.status.success(), "{issued:?}");
    desk.hup();
    until("the reload", &desk, |all| has(all, "config.reloaded"));
    desk.edit("policy.toml", "effect = 'allow'", "effect = 'perhaps'");
    desk.hup();
    until("the refused policy", &desk, |all| {
        has(all, "policy.refused")
    });
    let by_hand = |it: &Value| {
        it["locum"]["by"]
            .as_str()
            .is_some_and(|by| by.starts_with("cli:"))
    };
    until("the grant of the command line", &desk, |all| {
        all.iter().any(by_hand)
    });
    until("the search", &desk, |all| {
        has(all, "records.searched") && has(all, "sink.state")
    });
    desk.stop();
    let all = records(&desk.journal());
    for (step, event, member) in STEPS {
        let is_it =
            |it: &Value| it["metadata"]["event_code"] == event && !it["locum"][member].is_null();
        assert!(
            all.iter().any(is_it),
            "{step}: no {event} with {member}; there are {:?}, {:?}",
            codes(&all),
            all.iter()
                .filter(|it| it["metadata"]["event_code"] == event)
                .collect::<Vec<_>>()
        );
    }
    hangs_together(&all);
    assert!(desk.verified());
}

/// One thread goes through a session's records: they name the request's grant.
fn hangs_together(all: &[Value]) {
    let activated = all
        .iter()
        .find(|it| it["metadata"]["event_code"] == "session.activated")
        .expect("an activation");
    let (session, grant) = (&activated["locum"]["session"], &activated["locum"]["grant"]);
    let of_session = all
        .iter()
        .filter(|it| it["locum"]["session"] == *session && !it["locum"]["grant"].is_null());
    assert!(of_session.clone().count() >= 6);
    assert!(
        of_session
            .into_iter()
            .all(|it| it["locum"]["grant"] == *grant)
    );
}

fn codes(all: &[Value]) -> BTreeSet<&str> {
    all.iter()
        .filter_map(|it| it["metadata"]["event_code"].as_str())
        .collect()
}
