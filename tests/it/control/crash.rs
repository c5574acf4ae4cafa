//! kill -9 at random points of 100 runs of asking, agreeing and activating: what a start finds hangs together.

use super::desk::{Desk, Person, open};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Runs that were acknowledged from beginning to end.
const RUNS: usize = 100;
/// At once.
const WORKERS: usize = 4;
/// Milliseconds from a start to its kill: primes, so that they hit no common rhythm.
const MOMENTS: [u64; 8] = [61, 211, 397, 131, 523, 89, 307, 443];

/// Who takes part.
#[derive(Clone)]
struct People {
    ada: Person,
    bo: Person,
    cy: Person,
}

/// What was acknowledged.
#[derive(Default)]
struct Heard {
    stop: AtomicBool,
    done: AtomicUsize,
    sessions: parking_lot::Mutex<Vec<String>>,
    votes: parking_lot::Mutex<HashSet<(String, &'static str)>>,
}

/// One run, as far as the process lives. `None`: it broke off.
fn run(people: &People, heard: &Heard) -> Option<()> {
    let asked = people.ada.post(
        "/api/v1/requests",
        &json!({
            "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"],
            "minutes": 30, "ticket": "SUP-1042", "reason_code": "customer-request",
            "reason": "Cannot see an invoice"
        }),
    );
    let asked = asked.ok()?;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let request = asked.json();
    let (id, digest) = (
        request["id"].as_str()?.to_owned(),
        request["digest"].clone(),
    );
    for (name, who) in [("bo", &people.bo), ("cy", &people.cy)] {
        let vote = json!({ "digest": digest, "verdict": "approve" });
        let voted = who
            .post(&format!("/api/v1/requests/{id}/votes"), &vote)
            .ok()?;
        assert_eq!(voted.status, 200, "{}", voted.body);
        heard.votes.lock().insert((id.clone(), name));
        // The same again never counts twice, whatever was acknowledged before.
        let again = who
            .post(&format!("/api/v1/requests/{id}/votes"), &vote)
            .ok()?;
        assert_eq!(again.status, 409, "{}", again.body);
    }
    let active = people
        .ada
        .post(&format!("/api/v1/requests/{id}/activate"), &Value::Null)
        .ok()?;
    assert_eq!(active.status, 201, "{}", active.body);
    let session = active.json()["session"].as_str()?.to_owned();
    heard.sessions.lock().push(session);
    heard.done.fetch_add(1, Ordering::SeqCst);
    Some(())
}

fn count(store: &rusqlite::Connection, sql: &str) -> i64 {
    store.query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// What must hold of the store at any moment.
fn hangs_together(desk: &Desk, heard: &Heard) {
    let store = open(&desk.database());
    let voteless = count(
        &store,
        "SELECT count(*) FROM grants g WHERE 2 > (
            SELECT count(DISTINCT v.person) FROM votes v JOIN requests r ON r.id = v.request
            WHERE 'request:' || r.id = json_extract(g.body, '$.issued_by') AND v.verdict = 'approve'
              AND json_extract(r.body, '$.grant') = g.id AND v.person <> g.operator)",
    );
    assert_eq!(voteless, 0, "grants without their votes");
    let twice = count(
        &store,
        "SELECT count(*) FROM (SELECT 1 FROM votes GROUP BY request, person HAVING count(*) > 1)",
    );
    assert_eq!(twice, 0, "votes of one person twice");
    let orphans = count(
        &store,
        "SELECT count(*) FROM sessions s LEFT JOIN grants g ON g.id = s.grant_id WHERE g.id IS NULL",
    );
    assert_eq!(orphans, 0, "sessions without their grant");
    let halves = count(
        &store,
        "SELECT count(*) FROM requests r WHERE (r.state = 'activated') <> EXISTS (
            SELECT 1 FROM sessions s JOIN grants g ON g.id = s.grant_id
            WHERE g.id = json_extract(r.body, '$.grant'))",
    );
    assert_eq!(
        halves, 0,
        "requests that are activated without a session, or the other way round"
    );
    for session in heard.sessions.lock().iter() {
        let sql = format!("SELECT count(*) FROM sessions WHERE id = '{session}'");
        assert_eq!(
            count(&store, &sql),
            1,
            "{session} was acknowledged, and is gone"
        );
    }
    for (request, person) in heard.votes.lock().iter() {
        let sql = format!(
            "SELECT count(*) FROM votes WHERE request = '{request}' AND person = '{person}@support.example'"
        );
        assert_eq!(
            count(&store, &sql),
            1,
            "{person}'s vote on {request} was acknowledged, and is gone"
        );
    }
}

#[test]
fn killed_at_random_points_of_100_runs() {
    let mut desk = Desk::new("");
    desk.start();
    let [ada, bo, cy] = ["ada", "bo", "cy"].map(|id| desk.sign_in(id));
    let people = People { ada, bo, cy };
    let heard: Arc<Heard> = Arc::default();
    let workers = (0..WORKERS).map(|_| {
        let (people, heard) = (people.clone(), Arc::clone(&heard));
        thread::spawn(move || {
            while !heard.stop.load(Ordering::SeqCst) {
                if run(&people, &heard).is_none() {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut kills = 0;
    for moment in MOMENTS.into_iter().cycle() {
        thread::sleep(Duration::from_millis(moment));
        desk.kill();
        kills += 1;
        hangs_together(&desk, &heard);
        desk.start();
        if heard.done.load(Ordering::SeqCst) >= RUNS
            || workers.iter().any(thread::JoinHandle::is_finished)
        {
            break;
        }
    }
    heard.stop.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.join().expect("every answer was as it must be");
    }
    hangs_together(&desk, &heard);
    desk.kill();
    assert!(desk.verified(), "the journal is intact");
    println!("{} runs, {kills} kills", heard.done.load(Ordering::SeqCst));
}
