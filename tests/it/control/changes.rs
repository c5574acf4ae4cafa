//! Other rules than those in force wait for a second person's vote, on the real binary: by SIGHUP, and by a start.

use super::desk::{Desk, Person};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a change in this state.
fn change(person: &Person, state: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let path = format!("/api/v1/changes?state={state}");
        let answer = person.get(&path).expect("an answer").json();
        if let Some(found) = answer["items"].get(0) {
            return found.clone();
        }
        assert!(Instant::now() < until, "no change is {state}: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn approve(person: &Person, change: &Value) -> u16 {
    let id = change["id"].as_str().expect("an id");
    let vote = json!({ "digest": change["digest"], "verdict": "approve" });
    let path = format!("/api/v1/changes/{id}/votes");
    person.post(&path, &vote).expect("an answer").status
}

/// Whether the policy that serves has the row.
fn has(person: &Person, row: &str) -> bool {
    let page = person.get("/policy").expect("a page").body;
    page.contains(&format!("<code>{row}</code>"))
}

const VOTES: &str = "access.reload_votes = 1\naccess.host_admins = ['max@support.example']";

#[test]
fn a_reload_takes_effect_with_a_second_persons_vote_alone() {
    let mut desk = Desk::new(VOTES);
    desk.start();
    let (sam, max) = (desk.sign_in("sam"), desk.sign_in("max"));
    assert!(has(&sam, "all"));
    desk.edit("policy.toml", "id = 'all'", "id = 'every'");
    desk.hup();
    let waits = change(&sam, "pending");
    assert_eq!(waits["kinds"], json!(["route-policy"]), "{waits}");
    let told = waits["differs"].to_string();
    assert!(
        told.contains("every: new") && told.contains("all: gone"),
        "{told}"
    );
    assert!(
        has(&sam, "all") && !has(&sam, "every"),
        "nothing took effect"
    );
    assert_eq!(approve(&max, &waits), 403, "it may be their own change");
    assert_eq!(approve(&sam, &waits), 200);
    change(&sam, "taken");
    let until = Instant::now() + PATIENCE;
    while !has(&sam, "every") {
        assert!(Instant::now() < until, "{}", desk.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!has(&sam, "all"));
    desk.kill();
    desk.start();
    assert!(
        has(&desk.sign_in("sam"), "every"),
        "a start finds it in force"
    );
    assert!(desk.verified());
}

#[test]
fn a_start_with_rules_that_nobody_agreed_to_is_refused() {
    let mut desk = Desk::new(VOTES);
    desk.start();
    desk.kill();
    desk.edit(
        "locum.toml",
        "access.reload_votes = 1",
        "access.reload_votes = 0",
    );
    let refused = desk.start_refused();
    assert!(
        refused.contains("access.reload_votes: 1 → 0") && refused.contains("waits at the portal"),
        "{refused}"
    );
    desk.edit(
        "locum.toml",
        "access.reload_votes = 0",
        "access.reload_votes = 1",
    );
    desk.start();
    let sam = desk.sign_in("sam");
    let waits = change(&sam, "pending");
    assert_eq!(waits["brought"], "start");
    assert_eq!(approve(&sam, &waits), 200);
    desk.kill();
    desk.edit(
        "locum.toml",
        "access.reload_votes = 1",
        "access.reload_votes = 0",
    );
    desk.start();
    change(&desk.sign_in("sam"), "taken");
    assert!(desk.verified());
}
