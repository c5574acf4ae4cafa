//! What a refused client is told, and what is recorded of it.

use super::sessions::{is, refused};
use crate::support::locum::{Locum, Plan, records};
use crate::support::upstream::Upstream;
use serde_json::Value;

const PERSON: &str = "Accept: text/html,*/*;q=0.8\r\nSec-Fetch-Dest: document\r\n";

#[tokio::test]
async fn a_person_gets_a_page_and_a_program_a_problem() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let page = locum
        .ask(&agent, &agent.request("GET", "/secret", PERSON))
        .await;
    assert_eq!(
        (page.status, page.field("content-type")),
        (403, "text/html; charset=utf-8")
    );
    let text = page.text();
    for part in [
        "Secrets stay secret",
        "no-secret",
        "Exchange",
        "ada@support.example",
        "/.locum/end",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let problem = locum.get(&agent, "/secret").await;
    assert_eq!((problem.status, problem.reason().as_str()), (403, "policy"));
    let body = problem.json();
    assert_eq!(body["rule"], "no-secret");
    let exchange = body["exchange"].as_str().unwrap().to_owned();
    let record = locum
        .record(|one| one["metadata"]["correlation_uid"] == exchange.as_str())
        .await;
    assert!(refused(&record, "policy"), "{record}");
    assert_eq!(record["locum"]["rule"], "no-secret", "{record}");
    assert_eq!(
        record["locum"]["session"],
        agent.session.as_str(),
        "{record}"
    );
    for answer in [&page, &problem] {
        assert_eq!(answer.field("cache-control"), "no-store");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
        assert!(
            answer
                .field("content-security-policy")
                .contains("default-src 'none'"),
            "{answer:?}"
        );
    }
    assert!(app.heard().is_empty());
}

#[tokio::test]
async fn a_failing_app_is_named_by_status_and_nothing_internal_leaks() {
    let app = Upstream::start(|heard, wire| {
        Box::pin(async move {
            match heard.target() {
                "/garbage" => wire.send("nonsense\r\n\r\n").await,
                "/silent" => wire.closed().await,
                _ => {}
            }
            wire.is_over = true;
        })
    })
    .await;
    let lines = format!(
        "addresses = [\"{}\"]\nresponse_timeout = \"300ms\"\nretries = 0\nidentity = {{ mode = \"none\" }}\n",
        app.address
    );
    let locum = Locum::start(&Plan::new(&app.address).upstream(&lines)).await;
    let agent = locum.agent().await;
    for (target, status) in [("/garbage", 502), ("/gone", 502), ("/silent", 504)] {
        let answer = locum.get(&agent, target).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        answer.reason();
        let text = answer.text();
        for internal in ["127.0.0.1", "hyper", "os error", &app.address, "src/"] {
            assert!(!text.contains(internal), "{internal}: {text}");
        }
        let exchange = answer.json()["exchange"].as_str().unwrap().to_owned();
        // Opened before it went out, closed with what became of it, and no third record.
        let closed = locum
            .record(|one| {
                is(one, "exchange.closed")
                    && one["metadata"]["correlation_uid"] == exchange.as_str()
            })
            .await;
        assert_eq!(closed["http_response"]["code"], status, "{closed}");
        let all = locum.records();
        let same = all
            .iter()
            .filter(|one| one["metadata"]["correlation_uid"] == exchange.as_str());
        assert_eq!(same.count(), 2, "{target}");
    }
    // Nobody listens there.
    let mut plan = Plan::new("127.0.0.1:9");
    plan = plan
        .upstream("addresses = [\"127.0.0.1:9\"]\nretries = 0\nidentity = { mode = \"none\" }\n");
    locum.rewrite(&plan);
    locum.reload("taken").await;
    assert_eq!(locum.get(&agent, "/").await.status, 502);
}

#[tokio::test]
async fn every_refusal_is_on_record_once() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    let other = "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n".to_owned();
    let cases = [
        (agent.get("/secret"), 403, "policy"),
        (agent.get("/a/../b"), 400, "dot-segment"),
        (
            agent.request(
                "GET",
                "/",
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            ),
            400,
            "length-and-encoding",
        ),
        (
            agent.get("/ws-not").replace(&agent.cookie, "x=y"),
            401,
            "no-session",
        ),
        (other, 400, "host-foreign"),
        (agent.get("/.locum/nothing"), 404, "reserved-path"),
    ];
    for (request, status, reason) in &cases {
        let answer = locum.ask(&agent, request).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (*status, *reason)
        );
        let exchange = answer.json()["exchange"].as_str().unwrap().to_owned();
        locum
            .record(|one| one["metadata"]["correlation_uid"] == exchange.as_str())
            .await;
        let all = locum.records();
        let same: Vec<&Value> = all
            .iter()
            .filter(|one| one["metadata"]["correlation_uid"] == exchange.as_str())
            .collect();
        assert_eq!(same.len(), 1, "{same:?}");
        assert!(refused(same[0], reason), "{}", same[0]);
        let name = format!("locum_refusals_total{{reason=\"{reason}\",status=\"{status}\"}}");
        assert!(locum.metric(&name).await >= 1.0, "{name}");
    }
    assert!(app.heard().is_empty());
    let verified = locum.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn a_request_is_on_record_before_the_app_sees_it() {
    let journal = std::sync::Arc::new(parking_lot::Mutex::new(std::path::PathBuf::new()));
    let place = std::sync::Arc::clone(&journal);
    let app = Upstream::start(move |heard, wire| {
        let dir = place.lock().clone();
        Box::pin(async move {
            let all = records(&dir);
            let path = heard
                .target()
                .split('?')
                .next()
                .unwrap_or_default()
                .to_owned();
            let opened = all.iter().any(|one| {
                is(one, "exchange.opened") && one["http_request"]["url"]["path"] == path.as_str()
            });
            wire.ok("", if opened { "on record" } else { "not on record" })
                .await;
        })
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    *journal.lock() = locum.dir().join("state/journal");
    let agent = locum.agent().await;
    for n in 0..20 {
        assert_eq!(
            locum.get(&agent, &format!("/{n}")).await.text(),
            "on record"
        );
    }
}
