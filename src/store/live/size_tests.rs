//! What a large registry costs: time to load, bytes to keep.

use super::*;
use crate::model::{Clock, Grant, SessionId, Timestamp};
use crate::store::conformance::{NOW, Outcome, grant};
use crate::store::sqlite::{self, Sqlite};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

/// Far beyond what anything here should take, for machines that do much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one grant takes: the struct and what it points to.
fn bytes_of(grant: &Grant) -> usize {
    let texts = [
        &grant.app,
        &grant.operator.id,
        &grant.subject.id,
        &grant.tenant.id,
    ];
    let more = [&grant.ticket, &grant.reason, &grant.issued_by];
    let names = [
        &grant.operator.name,
        &grant.subject.name,
        &grant.tenant.name,
        &grant.external_id,
    ];
    let texts = texts
        .into_iter()
        .chain(more)
        .chain(names.into_iter().flatten());
    let texts: usize = texts.map(|text| text.capacity() + 8).sum();
    let scopes: usize = grant
        .scopes
        .iter()
        .map(|scope| scope.as_str().len() + 32)
        .sum();
    size_of::<Grant>() + texts + scopes
}

#[test]
fn ten_thousand_sessions_are_read_and_cost_little() -> Outcome {
    const COUNT: u32 = 10_000;
    let dir = tempfile::tempdir()?;
    let store = Sqlite::open(&sqlite::Settings {
        path: dir.path().join("locum.db"),
        ..sqlite::Settings::default()
    })?;
    let sample = grant();
    let body = serde_json::to_value(&sample)?;
    let mut conn = rusqlite::Connection::open(dir.path().join("locum.db"))?;
    let tx = conn.transaction()?;
    for n in 1..=COUNT {
        let id = crate::model::GrantId::from_bits(n.into()).to_string();
        let mut body = body.clone();
        if let Some(field) = body.get_mut("id") {
            *field = id.clone().into();
        }
        tx.execute(
            "INSERT INTO grants VALUES (?1, 'shop', 'o', 's', 't', 'k', 0, ?2, ?3)",
            rusqlite::params![id, sample.expires_at.millis(), body.to_string()],
        )?;
        tx.execute(
            "INSERT INTO sessions (id, grant_id, cookie, binding, started_at, last_used, recorded, revision)
             VALUES (?1, ?2, zeroblob(32), '{}', ?3, ?3, 3, ?4)",
            rusqlite::params![SessionId::from_bits(n.into()).to_string(), id, NOW.millis(), n],
        )?;
    }
    tx.execute("UPDATE counter SET revision = ?1", [COUNT])?;
    tx.commit()?;
    let clock = Clock::Fixed(Arc::new(AtomicI64::new(NOW.millis())));
    let begun = Instant::now();
    let (live, _events) = Live::open(Arc::new(store), clock, Settings::default())?;
    println!("asked for any after {:?}", begun.elapsed());
    while live.is_reading() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", live.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{COUNT} sessions read in {:?}", begun.elapsed());
    assert_eq!(live.stats().open, 10_000);
    let Found::Live(session) = live.find(SessionId::from_bits(77)) else {
        return Err("not live".into());
    };
    // The cancellation token's node is private to tokio-util: 128 bytes is an upper estimate.
    let timers = 2 * size_of::<(Timestamp, SessionId)>();
    let each = size_of::<LiveSession>() + bytes_of(&session.grant) + 128 + timers + 48;
    println!(
        "{each} bytes a session, of which {} its grant",
        bytes_of(&session.grant)
    );
    assert!(each <= 1024, "{each} bytes");
    live.stop();
    Ok(())
}
