//! Everything of one tenant is ended by another process: hundreds of open streams are cut, the other tenant's live on.

use crate::support::client::Conn;
use crate::support::locum::{Agent, Locum, Plan};
use crate::support::upstream::Upstream;
use locum::model::{EndCause, Ended, LockKey, Timestamp};
use locum::store::StoreError;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Sessions of each tenant.
const SESSIONS: usize = 5;
/// `WebSocket`s of each session of the tenant that is ended, and as many event streams: 500 together.
const ENDED: usize = 50;
/// The same of the tenant that lives on.
const SPARED: usize = 5;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const OPENED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
    9\r\ndata: 1\n\n\r\n";

/// An app that keeps `WebSocket`s and event streams open for ever.
async fn endless() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            match heard.target() {
                "/ws" => wire.send(OPENED).await,
                "/events" => wire.send(EVENTS).await,
                _ => return wire.ok("", "seen").await,
            }
            wire.closed().await;
        })
    })
    .await
}

async fn socket(locum: &Locum, agent: &Agent) -> Conn {
    let mut conn = locum.connect(&agent.host).await;
    let fields = format!("Origin: https://{}\r\n{HANDSHAKE}", agent.host);
    conn.send(agent.request("GET", "/ws", &fields)).await;
    assert_eq!(conn.head().await.status, 101);
    conn
}

async fn events(locum: &Locum, agent: &Agent) -> Conn {
    let mut conn = locum.connect(&agent.host).await;
    conn.send(agent.get("/events")).await;
    assert_eq!(conn.head().await.status, 200);
    assert!(conn.chunk().await.is_some());
    conn
}

struct Tenant {
    agents: Vec<Agent>,
    streams: Vec<Conn>,
}

async fn tenant(locum: &Locum, name: &str, each: usize) -> Tenant {
    let mut made = Tenant {
        agents: Vec::new(),
        streams: Vec::new(),
    };
    for n in 0..SESSIONS {
        let (operator, subject) = (format!("op{n}@support.example"), format!("user{n}"));
        let who = [
            "--tenant",
            name,
            "--operator",
            &operator,
            "--subject",
            &subject,
        ];
        let agent = locum.agent_with(&who).await;
        for _ in 0..each {
            made.streams.push(socket(locum, &agent).await);
            made.streams.push(events(locum, &agent).await);
        }
        made.agents.push(agent);
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenants_streams_are_cut_and_the_others_live_on() {
    let app = endless().await;
    let mut plan = Plan::new(&app.address);
    plan.workers = 2;
    let locum = Locum::start(&plan).await;
    let acme = tenant(&locum, "acme", ENDED).await;
    let other = tenant(&locum, "other", SPARED).await;
    let book = locum.book();
    let mut waiting = JoinSet::new();
    for mut stream in acme.streams {
        waiting.spawn(async move {
            stream.closed().await;
            Instant::now()
        });
    }
    let ended = Ended {
        cause: EndCause::Revoked,
        at: Timestamp::now(),
        by: "sam@support.example".to_owned(),
    };
    let asked = Instant::now();
    let over = book.write::<_, StoreError>("ending a tenant", |tx| {
        tx.end_all(&LockKey::Tenant("acme".to_owned()), &ended)
    });
    let written = Instant::now();
    assert_eq!(over.unwrap().len(), SESSIONS);
    let mut cuts: Vec<Duration> = Vec::new();
    while let Some(at) = waiting.join_next().await {
        cuts.push(at.unwrap().saturating_duration_since(written));
    }
    cuts.sort_unstable();
    assert_eq!(cuts.len(), SESSIONS * ENDED * 2);
    // How long it took is no matter of this test, which may share its machine with a whole suite: docs/performance.md has
    // the number of a quiet one.
    println!(
        "kill by tenant: {} of {} open streams cut: the median {:?}, the slowest {:?} after the write (which took {:?})",
        cuts.len(),
        SESSIONS * (ENDED + SPARED) * 2,
        cuts[cuts.len() / 2],
        cuts[cuts.len() - 1],
        written - asked,
    );
    for agent in &acme.agents {
        let answer = locum.get(agent, "/after").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "session-ended")
        );
    }
    assert_eq!(app.saw("/after"), 0);
    for agent in &other.agents {
        assert_eq!(locum.get(agent, "/alive").await.status, 200);
    }
    assert_eq!(app.saw("/alive"), SESSIONS);
    for mut stream in other.streams {
        let more = tokio::time::timeout(Duration::from_millis(1), stream.more()).await;
        assert!(more.is_err(), "a stream of the other tenant was cut");
    }
}
