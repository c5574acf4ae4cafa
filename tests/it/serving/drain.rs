//! Stopping and reading again: what is under way ends well, what is bad is refused whole.

use super::sessions::is;
use crate::support::locum::{Locum, POLICY, Plan};
use crate::support::upstream::Upstream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// An app that answers `/slow` when it is told to.
async fn slow(go: &Arc<Notify>) -> Upstream {
    let go = Arc::clone(go);
    Upstream::start(move |heard, wire| {
        let go = Arc::clone(&go);
        Box::pin(async move {
            if heard.target() == "/slow" {
                go.notified().await;
            }
            wire.ok("", "seen").await;
        })
    })
    .await
}

#[tokio::test]
async fn what_is_under_way_ends_and_nothing_new_begins() {
    let go = Arc::new(Notify::new());
    let app = slow(&go).await;
    let mut plan = Plan::new(&app.address).limits("drain_timeout = \"20s\"\n");
    plan.workers = 2;
    let mut locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let mut idle = locum.connect(&agent.host).await;
    assert_eq!(idle.ask(&agent.get("/")).await.status, 200);
    let mut busy = locum.connect(&agent.host).await;
    busy.send(agent.get("/slow")).await;
    let mut client = locum.http2(&agent.host).await;
    let request = client
        .request("GET", &agent.host, "/slow")
        .header("cookie", &agent.cookie);
    let (response, _) = client.open(request.body(()).unwrap(), true).await.unwrap();
    app.until(3).await;
    locum.signal("TERM");
    idle.closed().await;
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", locum.port)).await.is_ok() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "still takes connections"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    go.notify_waiters();
    assert_eq!(busy.answer(false).await.text(), "seen");
    assert_eq!(
        crate::support::http2::whole(response).await.unwrap().text(),
        "seen"
    );
    let status = locum.gone().await;
    assert_eq!(status.code(), Some(0), "{}", locum.log());
    let all = locum.records();
    let [.., stopped, sealed] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert!(is(stopped, "process.stopped"), "{stopped}");
    assert!(is(sealed, "segment.sealed"), "{sealed}");
    let opened = all.iter().filter(|one| is(one, "exchange.opened")).count();
    let closed = all.iter().filter(|one| is(one, "exchange.closed")).count();
    assert_eq!((opened, closed), (3, 3));
}

#[tokio::test]
async fn what_does_not_end_is_cut_and_recorded() {
    let app = Upstream::start(|_, wire| Box::pin(wire.closed())).await;
    let plan = Plan::new(&app.address).limits("drain_timeout = \"300ms\"\n");
    let mut locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let mut busy = locum.connect(&agent.host).await;
    busy.send(agent.get("/for-ever")).await;
    app.until(1).await;
    locum.signal("TERM");
    let began = Instant::now();
    assert_eq!(locum.gone().await.code(), Some(0), "{}", locum.log());
    assert!(began.elapsed() < Duration::from_secs(10));
    busy.closed().await;
    let all = locum.records();
    assert_eq!(
        all.iter().filter(|one| is(one, "exchange.closed")).count(),
        1,
        "{all:?}"
    );
}

#[tokio::test]
async fn a_bad_reload_changes_nothing_and_is_on_record() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    let broken = Plan::new(&app.address).limits("max_heders = 5\n");
    locum.rewrite(&broken);
    locum.reload("refused").await;
    let record = locum.record(|one| is(one, "config.refused")).await;
    assert!(record.to_string().contains("max_heders"), "{record}");
    assert_eq!(conn.ask(&agent.get("/")).await.status, 200);

    let mut broken = Plan::new(&app.address);
    broken.policy = POLICY.replace("effect = \"allow\"", "effect = \"alow\"");
    locum.rewrite(&broken);
    locum.reload("refused").await;
    locum.record(|one| is(one, "policy.refused")).await;
    assert_eq!(conn.ask(&agent.get("/")).await.status, 200);
    assert_eq!(locum.ops("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_good_reload_takes_effect_on_open_connections_too() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let mut conn = locum.connect(&agent.host).await;
    assert_eq!(conn.ask(&agent.get("/reports")).await.status, 200);
    let mut plan = Plan::new(&app.address);
    plan.policy = POLICY.replace("* /secret", "* /reports");
    locum.rewrite(&plan);
    locum.reload("taken").await;
    let answer = conn.ask(&agent.get("/reports")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (403, "policy"));
    assert_eq!(conn.ask(&agent.get("/secret")).await.status, 200);
    // Two policies, two digests, each on its records.
    let all = locum.records();
    let opened: Vec<&serde_json::Value> = all
        .iter()
        .filter(|one| is(one, "exchange.opened"))
        .collect();
    assert_ne!(opened[0]["locum"]["policy"], opened[1]["locum"]["policy"]);
    assert_eq!(all.iter().filter(|one| is(one, "policy.loaded")).count(), 2);
    // Another app address: the next request goes there.
    let other = Upstream::plain().await;
    locum.rewrite(&Plan::new(&other.address));
    locum.reload("taken").await;
    assert_eq!(conn.ask(&agent.get("/moved")).await.status, 200);
    assert_eq!((app.saw("/moved"), other.saw("/moved")), (0, 1));
}
