//! A store that cannot be read or written: sessions go on within the lease, then are refused until it is back.

use super::rig::{Rig, wait};
use rusqlite::Connection;
use std::io::{Seek as _, SeekFrom, Write as _};

fn open(rig: &Rig) -> Connection {
    let store = Connection::open(rig.dir().join("var/locum.db"));
    store.expect("the store is a SQLite file")
}

#[test]
fn locked_by_another_writer() {
    let mut rig = Rig::running("store.busy_timeout = '100ms'");
    let (session, code) = rig.issue();
    let other = open(&rig);
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert_eq!(
        rig.get("/page").expect("an answer").status,
        200,
        "live sessions need no write"
    );
    let start = format!("/.locum/start?session={session}&code={code}");
    let refused = rig.get(&start).expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text);
    let issued = rig.locum(&[
        "grant",
        "issue",
        "--operator",
        "a@b.example",
        "--subject",
        "s",
        "--tenant",
        "t",
        "--scope",
        "view",
        "--ticket",
        "T",
        "--reason",
        "R",
    ]);
    assert!(!issued.status.success());
    let said = String::from_utf8_lossy(&issued.stderr).into_owned();
    assert!(said.contains("busy") || said.contains("locked"), "{said}");
    other.execute_batch("ROLLBACK").expect("unlocked");
    let started = || rig.get(&start).is_some_and(|it| it.status == 303);
    assert!(wait(started), "{}", rig.log());
    assert!(rig.is_alive());
}

#[test]
fn unreadable_for_longer_than_the_lease() {
    let rig = Rig::running("store = { busy_timeout = '50ms', lease = '300ms' }");
    let other = open(&rig);
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    // An index of the log that must be rebuilt, while another holds the lock that this needs.
    let shm = rig.dir().join("var/locum.db-shm");
    let mut shm = std::fs::OpenOptions::new().write(true).open(shm);
    let shm = shm.as_mut().expect("the log's index");
    shm.seek(SeekFrom::Start(8)).expect("it is longer");
    shm.write_all(&[0xff; 8]).expect("written");
    let stale = || rig.get("/page").is_some_and(|it| it.status == 503);
    assert!(wait(stale), "{}", rig.log());
    let before = rig.app.reached();
    let refused = rig.get("/page").expect("an answer");
    assert!(refused.text.contains("stale-store"), "{}", refused.text);
    assert_eq!(rig.app.reached(), before);
    let ready = rig.ready().expect("an answer");
    assert_eq!(ready.status, 503, "{}", ready.text);
    other.execute_batch("ROLLBACK").expect("unlocked");
    let back = || rig.get("/page").is_some_and(|it| it.status == 200);
    assert!(wait(back), "{}", rig.log());
    rig.verified();
}
