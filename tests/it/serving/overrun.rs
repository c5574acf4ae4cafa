//! A recorder that cannot keep up, on the real binary: its thread waits for the lock of its own directory, which another
//! process holds, as it does on a disk that does not answer, and what waits for it is more than may wait.

use super::recording::{closed, of, tape};
use super::sessions::is;
use crate::support::locum::{Locum, PATIENCE, POLICY, Plan};
use crate::support::upstream::Upstream;
use locum::audit::recording::Tape;
use serde_json::Value;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const LARGE: usize = 4 << 20;
const REST: &str = "[recording]\nqueue_bytes = \"64KiB\"\nordinary = { record = \"bodies\" }\n\
    privileged = { record = \"bodies\", on_overrun = \"fail\" }\n";
const MUST: &str = "\n[[rows]]\nid = \"must\"\nmatch = \"GET /must/{*rest}\"\naction = \"page\"\neffect = \"allow\"\n\
    tier = \"privileged\"\n";

/// An app that sends the rest of `/must/slow` when it is told to.
async fn app(go: Arc<Notify>) -> Upstream {
    Upstream::start(move |heard, wire| {
        let go = Arc::clone(&go);
        Box::pin(async move {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {LARGE}\r\n\r\n"
            );
            match heard.target() {
                "/must/slow" => {
                    wire.send(head).await;
                    wire.send([b'a'; 100]).await;
                    go.notified().await;
                    wire.send(vec![b'b'; LARGE - 100]).await;
                }
                "/large" => {
                    wire.send(head).await;
                    wire.send(vec![b'c'; LARGE]).await;
                }
                _ => wire.ok("Content-Type: text/plain\r\n", "short").await,
            }
        })
    })
    .await
}

fn stalled(locum: &Locum) -> File {
    let path = locum.dir().join("state/recordings/lock");
    let lock = File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    lock
}

fn gap(tape: &Tape, target: &str) -> u64 {
    of(tape, target).gaps.iter().map(|gap| gap.bytes).sum()
}

#[tokio::test]
async fn what_must_be_recorded_is_refused_or_cut_and_the_rest_has_a_gap() {
    let go = Arc::new(Notify::new());
    let app = app(Arc::clone(&go)).await;
    let mut plan = Plan::new(&app.address).rest(REST);
    plan.policy = POLICY.to_owned() + MUST;
    let locum = Locum::start(&plan).await;
    let (agent, other) = (locum.agent().await, locum.agent().await);
    assert_eq!(locum.get(&agent, "/must/short").await.status, 200);
    let mut slow = locum.connect(&agent.host).await;
    slow.send(agent.get("/must/slow")).await;
    assert_eq!(slow.head().await.status, 200);
    slow.exactly(100).await;

    // The first exchange of another session needs a tape, and its making the lock.
    let lock = stalled(&locum);
    assert_eq!(locum.get(&other, "/short").await.status, 200);
    let large = locum.get(&agent, "/large").await;
    assert_eq!((large.status, large.body.len()), (200, LARGE));
    go.notify_one();
    let mut rest = 0;
    let ended = tokio::time::timeout(PATIENCE, async {
        while slow.more().await {
            rest += slow.take().len();
        }
    });
    ended.await.expect("it is cut");
    assert!(rest < LARGE - 100, "{rest} bytes of what was not recorded");
    let refused = locum.get(&agent, "/must/other").await;
    let found = (refused.status, refused.reason());
    assert_eq!(found, (503, "recording".to_owned()), "{refused:?}");
    assert_eq!(app.saw("/must/other"), 0);
    assert!(locum.metric("locum_recording_overruns").await >= 2.0);
    drop(lock);

    let is_cut = |one: &Value| is(one, "exchange.closed") && one["locum"]["outcome"] == "cut";
    locum.record(is_cut).await;
    let tape = tape(&locum, &agent, 3).await;
    let closing = closed(&locum, of(&tape, "/large")).await;
    let told = &closing["locum"]["recording"]["gap"];
    assert_eq!(closing["locum"]["outcome"], "done", "{closing}");
    assert!(
        told["bytes"].as_u64() > Some(0) && told["why"].is_string(),
        "{closing}"
    );
    assert_eq!(
        Some(gap(&tape, "/large")),
        told["bytes"].as_u64(),
        "{closing}"
    );
    let cut = closed(&locum, of(&tape, "/must/slow")).await;
    assert_eq!(cut["locum"]["outcome"], "cut", "{cut}");
    assert_eq!(cut["status_detail"], "recording", "{cut}");
    let refused = |one: &Value| {
        is(one, "exchange.closed")
            && one["status_detail"] == "recording"
            && one["locum"]["outcome"] == "refused"
    };
    locum.record(refused).await;
    // It goes on as if nothing had been.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(locum.get(&agent, "/must/again").await.status, 200);
    let verified = locum.command(&["recording", "verify", &agent.session]);
    assert!(verified.status.success(), "{verified:?}");
}
