//! What a restart goes on with: the sessions there are, and what a session was used for so far.

use super::sessions::is;
use crate::support::locum::{Agent, Locum, Plan};
use crate::support::upstream::Upstream;
use locum::model::{Binding, GrantId, Secret, SessionId, Timestamp};
use locum::store::sqlite::{self, Sqlite};
use locum::store::{GrantStore as _, Issue, Redemption, Target};
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

/// As many sessions more, begun beside the running process: each like that of `first`.
fn more(store: &Sqlite, first: &Agent, count: usize) -> Vec<Agent> {
    let id = first.session.parse().expect("an id");
    let like = store.find_session(id).expect("the store").expect("it");
    let begin = |_| {
        let (session, now) = (SessionId::fresh(), Timestamp::now());
        let [code, cookie] = [(); 2].map(|()| Secret::fresh().expect("random bytes"));
        let grant = locum::model::Grant {
            id: GrantId::fresh(),
            ..(*like.grant).clone()
        };
        let agent = Agent {
            session: session.to_string(),
            grant: grant.id.to_string(),
            host: first.host.replace(&first.session, &session.to_string()),
            cookie: format!("__Host-locum={session}.{}", cookie.reveal()),
        };
        let issue = Issue {
            grant,
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: now.plus(Duration::from_secs(30)),
        };
        store.issue(&issue).expect("issued");
        let with = Redemption {
            session,
            code: code.hash(),
            cookie: cookie.hash(),
            binding: Binding::default(),
            now,
        };
        store.redeem(&with).expect("the store").expect("redeemed");
        agent
    };
    (0..count).map(begin).collect()
}

#[tokio::test]
async fn all_sessions_are_there_from_the_first_request_on() {
    const COUNT: u16 = 3_000;
    let app = Upstream::plain().await;
    let plan = Plan::new(&app.address);
    let locum = Locum::start(&plan).await;
    let first = locum.agent().await;
    let store = Sqlite::open(&sqlite::Settings {
        path: locum.dir().join("state/locum.db"),
        ..sqlite::Settings::default()
    });
    let store = store.expect("the store");
    let agents = more(&store, &first, COUNT.into());
    let locum = locum.again(&plan, "KILL").await;
    // The newest are read last.
    let (revoked, others) = agents.split_last().expect("some");
    let id = revoked.session.parse().expect("an id");
    let target = Target::Session(id);
    let done = store.revoke(&target, "cli:root", Timestamp::now());
    assert_eq!(done.expect("the store").ended, [id]);
    for agent in others.iter().rev().step_by(100).chain([&first]) {
        assert_eq!(locum.get(agent, "/").await.status, 200);
    }
    let nobody = Agent {
        cookie: first
            .cookie
            .replace(&first.session, &SessionId::fresh().to_string()),
        ..first.clone()
    };
    assert_eq!(locum.get(&nobody, "/").await.status, 401);
    let over = locum.get(revoked, "/").await;
    assert_eq!(over.status, 401);
    assert!(over.text().contains("session-ended"), "{}", over.text());
    let began = Instant::now();
    while locum.metric("locum_sessions_unread").await > 0.0 {
        assert!(began.elapsed() < PATIENCE, "{}", locum.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let live = locum.metric("locum_sessions_live").await;
    assert!((live - f64::from(COUNT)).abs() < 0.5, "{live}");
    assert_eq!(locum.get(&agents[0], "/").await.status, 200);
}
