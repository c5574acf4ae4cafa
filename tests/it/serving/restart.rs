//! What a restart goes on with: what a session was used for so far.

use super::sessions::is;
use crate::support::locum::{Locum, Plan};
use crate::support::upstream::Upstream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until so many requests of the session are written down.
async fn written(locum: &Locum, session: &str, requests: u64) {
    let (book, began) = (locum.book(), Instant::now());
    let id = session.parse().expect("an id");
    loop {
        let stored = book
            .write("looking", |tx| tx.session(id))
            .expect("the store");
        let used = stored.and_then(|it| it.used);
        if used.is_some_and(|it| it.requests >= requests) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{used:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn counts_go_on_after_a_restart_and_after_a_crash() {
    let app = Upstream::plain().await;
    let plan = Plan::new(&app.address).rest("[store]\ntouch_interval = \"100ms\"\n");
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    for _ in 0..3 {
        assert_eq!(locum.get(&agent, "/").await.status, 200);
    }
    assert_eq!(locum.get(&agent, "/secret").await.status, 403);
    let locum = locum.again(&plan, "TERM").await;
    for _ in 0..2 {
        assert_eq!(locum.get(&agent, "/").await.status, 200);
    }
    written(&locum, &agent.session, 6).await;
    let locum = locum.again(&plan, "KILL").await;
    assert_eq!(locum.get(&agent, "/").await.status, 200);
    locum.revoke(&agent.grant);
    let ended = locum.record(|one| is(one, "session.ended")).await;
    let used = &ended["locum"];
    assert_eq!(
        (&used["requests"], &used["reads"], &used["refusals"]),
        (&7.into(), &6.into(), &1.into()),
        "{ended}"
    );
}
