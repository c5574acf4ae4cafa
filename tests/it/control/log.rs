//! The journal's log on the real binary: followed over HTTP, proved by API and on the command line.

use super::desk::{Desk, Person};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const OFTEN: &str = "audit.log.interval = '100ms'";

fn locum(desk: &Desk, arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_locum"))
        .arg("--config")
        .arg(desk.file("locum.toml"))
        .args(arguments)
        .output();
    command.expect("locum runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Asks until the status is as wished.
fn until(status: u16, mut get: impl FnMut() -> (u16, String)) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (found, body) = get();
        if found == status {
            return body;
        }
        assert!(Instant::now() < deadline, "{found} is not {status}: {body}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn size(checkpoint: &str) -> u64 {
    checkpoint
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .expect("a size")
}

fn ask(person: &Person) {
    let request = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"],
        "minutes": 30, "ticket": "SUP-1042", "reason_code": "customer-request",
        "reason": "Cannot see an invoice"
    });
    let answer = person
        .post("/api/v1/requests", &request)
        .expect("an answer");
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[test]
fn monitors_follow_the_log_and_tenants_theirs_alone() {
    let mut desk = Desk::new(OFTEN);
    desk.start();
    let get = |path: &str| {
        let answer = desk.get(path);
        (answer.status, answer.body)
    };
    let checkpoint = until(200, || get("/log/checkpoint"));
    assert!(
        checkpoint.starts_with(&format!("localhost:{}/log\n", desk.portal)),
        "{checkpoint}"
    );
    assert_eq!(get("/log/tile/0/000.p/1").0, 200);
    assert_eq!(get("/log/tile/entries/000.p/1").0, 200);
    for path in [
        "tile/0/000.p/0",
        "tile/0/001",
        "tile/00/000",
        "tile/0/..%2f..%2fsigned",
        "signed",
        "seqs",
    ] {
        assert_eq!(get(&format!("/log/{path}")).0, 404, "{path}");
    }
    let (ada, sam) = (desk.sign_in("ada"), desk.sign_in("sam"));
    ask(&ada);
    let of = |person: &Person, path: &str| {
        let answer = person.get(path).expect("an answer");
        (answer.status, answer.body)
    };
    assert_eq!(get("/log/tenants/acme/checkpoint").0, 401);
    let theirs = until(200, || of(&sam, "/log/tenants/acme/checkpoint"));
    assert!(theirs.contains("/log/tenant/acme\n"), "{theirs}");
    assert_eq!(of(&sam, "/log/tenants/acme/tile/0/000.p/1").0, 200);
    assert_eq!(of(&ada, "/log/tenants/acme/checkpoint").0, 404);
    assert_eq!(of(&sam, "/log/tenants/nobody/checkpoint").0, 404);
    assert_eq!(get("/api/v1/log/inclusion?seq=1").0, 401);
    assert_eq!(of(&ada, "/api/v1/log/inclusion?seq=1&tenant=acme").0, 404);
}

#[test]
fn proofs_by_api_and_command_line_hold_before_the_command_line() {
    let mut desk = Desk::new(OFTEN);
    desk.start();
    let sam = desk.sign_in("sam");
    let vkey = text(&locum(&desk, &["audit", "key", "show"]))
        .trim()
        .to_owned();
    let saved = until(200, || {
        let answer = desk.get("/log/checkpoint");
        (answer.status, answer.body)
    });
    fs::write(desk.file("saved"), &saved).expect("write");
    let _ = desk.sign_in("max");
    let inclusion: Value = sam
        .get("/api/v1/log/inclusion?seq=1")
        .expect("an answer")
        .json();
    assert_eq!(inclusion["index"], 0, "{inclusion}");
    let segment =
        fs::read_to_string(desk.journal().join("segment-0000000000000001.jsonl")).expect("read");
    fs::write(
        desk.file("record"),
        segment.lines().next().expect("a record"),
    )
    .expect("write");
    fs::write(
        desk.file("proof"),
        inclusion["proof"].as_str().expect("text"),
    )
    .expect("write");
    let file = |name: &str| desk.file(name).display().to_string();
    let verify = |about: &str, name: &str, key: &str| {
        let it = [
            "audit",
            "verify-proof",
            &file("proof"),
            about,
            &file(name),
            "--vkey",
            key,
        ];
        locum(&desk, &it).status.code()
    };
    assert_eq!(verify("--record", "record", &vkey), Some(0));
    let from = size(&saved);
    let path = format!("/api/v1/log/consistency?from={from}");
    let grown = until(200, || {
        let answer = sam.get(&path).expect("an answer");
        let is_larger = answer.json()["size"].as_u64() > Some(from);
        (if is_larger { answer.status } else { 0 }, answer.body)
    });
    let grown: Value = serde_json::from_str(&grown).expect("JSON");
    fs::write(desk.file("proof"), grown["proof"].as_str().expect("text")).expect("write");
    assert_eq!(verify("--checkpoint", "saved", &vkey), Some(0));
    let proof = text(&locum(&desk, &["audit", "prove", "inclusion", "1"]));
    fs::write(desk.file("proof"), proof).expect("write");
    assert_eq!(verify("--record", "record", &vkey), Some(0));
    let made = text(&locum(&desk, &["audit", "key", "new", &file("other.key")]));
    assert_eq!(verify("--record", "record", made.trim()), Some(1));
    saved_checkpoint_counts(desk, &saved);
}

/// Verifying compares with a checkpoint that was kept, and one that was changed is refused.
fn saved_checkpoint_counts(mut desk: Desk, saved: &str) {
    let file = desk.file("saved").display().to_string();
    let said = text(&locum(&desk, &["audit", "verify", "--checkpoint", &file]));
    assert!(
        said.starts_with("intact") && said.contains("signatures checked"),
        "{said}"
    );
    assert!(text(&locum(&desk, &["audit", "checkpoint"])).starts_with("localhost:"));
    desk.kill();
    fs::write(&file, saved.replace("\n— ", "\n—")).expect("write");
    let broken = locum(&desk, &["audit", "verify", "--json", "--checkpoint", &file]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(String::from_utf8_lossy(&broken.stdout).contains("bad-note"));
}
