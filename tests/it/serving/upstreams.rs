//! The ways out: HTTP/1.1, HTTP/2, TLS with a CA of one's own, Unix sockets; several addresses, and reuse.

use super::sessions::is;
use crate::support::locum::{Locum, Plan, certificates, free_port};
use crate::support::upstream::Upstream;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NOBODY: &str = "identity = { mode = \"none\" }\n";

#[tokio::test]
async fn over_a_unix_socket_and_over_tls() {
    let unix = Upstream::unix(|_, wire| Box::pin(wire.ok("", "unix")));
    let locum = Locum::start(&Plan::new(&unix.address)).await;
    let agent = locum.agent().await;
    assert_eq!(locum.get(&agent, "/").await.text(), "unix");
    let tls = Upstream::tls(|_, wire| Box::pin(wire.ok("", "tls"))).await;
    let ca = certificates().join("ca.pem");
    let lines = format!(
        "addresses = [\"{}\"]\ntls = {{ ca = \"{}\", server_name = \"shop.example\" }}\n{NOBODY}",
        tls.address,
        ca.display()
    );
    locum.rewrite(&Plan::new("").upstream(&lines));
    locum.reload("taken").await;
    assert_eq!(locum.get(&agent, "/").await.text(), "tls");
    // A certificate for another name is no answer of the app's.
    let wrong = lines.replace("shop.example", "other.example");
    locum.rewrite(&Plan::new("").upstream(&wrong));
    locum.reload("taken").await;
    assert_eq!(locum.get(&agent, "/").await.status, 502);
}

#[tokio::test]
async fn the_closing_record_says_which_address_answered() {
    let unix = Upstream::unix(|_, wire| Box::pin(wire.ok("", "unix")));
    let tcp = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&unix.address)).await;
    let agent = locum.agent().await;
    let closed = |n: usize| {
        let all = locum.records();
        let mut closed = all.into_iter().filter(|one| is(one, "exchange.closed"));
        closed.nth(n).map(|one| one["locum"]["upstream"].clone())
    };
    let until = async |n: usize| {
        while closed(n).is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        closed(n).unwrap()
    };
    assert_eq!(locum.get(&agent, "/").await.status, 200);
    assert_eq!(until(0).await, unix.address.as_str());
    // A name stands for what it resolved to; the second exchange is on the kept connection of the first.
    let (_, port) = tcp.address.rsplit_once(':').unwrap();
    let address = format!("localhost:{port}");
    locum.rewrite(&Plan::new(&address));
    locum.reload("taken").await;
    for n in 1..3 {
        assert_eq!(locum.get(&agent, "/").await.status, 200);
        assert_eq!(until(n).await, tcp.address.as_str(), "{n}");
    }
}

#[tokio::test]
async fn an_address_that_is_down_is_not_noticed() {
    let app = Upstream::plain().await;
    let lines = format!(
        "addresses = [\"127.0.0.1:{}\", \"{}\"]\n{NOBODY}",
        free_port(),
        app.address
    );
    let locum = Locum::start(&Plan::new("").upstream(&lines)).await;
    let agent = locum.agent().await;
    for n in 0..10 {
        assert_eq!(
            locum
                .ask(&agent, &agent.post(&format!("/{n}"), "", "x"))
                .await
                .status,
            200
        );
    }
    assert_eq!(app.heard().len(), 10);
}

#[tokio::test]
async fn a_failed_exchange_says_where_it_led() {
    let app = Upstream::start(|_, wire| {
        // It takes every request, and answers none.
        Box::pin(async move { wire.is_over = true })
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let failed = |one: &Value| one["locum"]["outcome"] == "failed";
    let answer = locum.ask(&agent, &agent.post("/closed", "", "x")).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let record = locum.record(failed).await;
    assert_eq!(
        record["locum"]["upstream"],
        app.address.as_str(),
        "{record}"
    );
    let nobody = format!("127.0.0.1:{}", free_port());
    locum.rewrite(&Plan::new(&nobody));
    locum.reload("taken").await;
    assert_eq!(locum.get(&agent, "/nobody").await.status, 502);
    let there = |one: &Value| failed(one) && one["locum"]["upstream"] == nobody.as_str();
    locum.record(there).await;
}

#[tokio::test]
async fn an_idle_connection_that_closes_as_it_is_reused_is_not_noticed() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let app = Upstream::start(move |heard, wire| {
        let counted = Arc::clone(&counted);
        Box::pin(async move {
            // Every second request on a connection finds it closed without an answer.
            if counted.fetch_add(1, Ordering::SeqCst) % 2 == 1 && heard.method() == "GET" {
                wire.is_over = true;
                return;
            }
            wire.ok("", "seen").await;
        })
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    for n in 0..6 {
        let answer = locum.get(&agent, &format!("/{n}")).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "seen"),
            "{n}"
        );
    }
    // Each is recorded once, however often it was sent.
    let all = locum.records();
    let opened = all
        .iter()
        .filter(|one| one["metadata"]["event_code"] == "exchange.opened");
    assert_eq!(opened.count(), 6);
}

#[tokio::test]
async fn connections_are_kept_and_reused() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    for _ in 0..5 {
        assert_eq!(locum.get(&agent, "/").await.status, 200);
    }
    assert!(
        app.heard().iter().all(|one| one.connection == 0),
        "{:?}",
        app.heard()
    );
}
