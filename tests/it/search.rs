//! Records are found on the real binary while it serves: by the command line, after the index was taken away, and with
//! a changed journal; and recorded requests are decided again by another policy.

use crate::support::locum::{Locum, POLICY, Plan};
use crate::support::upstream::Upstream;
use serde_json::Value;
use std::path::PathBuf;

async fn served() -> (Upstream, Locum) {
    let app = Upstream::start(|_, wire| {
        Box::pin(wire.ok(
            "Content-Type: text/html\r\n",
            "<html><body>seen</body></html>",
        ))
    })
    .await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    (app, locum)
}

fn search(locum: &Locum, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["--json", "audit", "search", "--all"], more].concat();
    let done = locum.command(&arguments);
    let said = serde_json::from_slice(&done.stdout);
    (
        done.status.code(),
        said.unwrap_or_else(|why| panic!("{why}: {done:?}")),
    )
}

fn count(locum: &Locum, more: &[&str]) -> usize {
    let (code, said) = search(locum, more);
    assert_eq!(code, Some(0), "{said}");
    said["records"].as_array().map_or(0, Vec::len)
}

async fn indexed(locum: &Locum) {
    let last = locum.records().last().and_then(|it| it["seq"].as_f64());
    locum
        .until("locum_index_sequence", last.expect("records"))
        .await;
}

#[tokio::test]
async fn records_are_found_while_it_serves_and_after_the_index_is_gone() {
    let (_app, locum) = served().await;
    let agent = locum.agent().await;
    for path in ["/orders/17", "/orders/18", "/account/mfa/reset"] {
        locum.get(&agent, path).await;
    }
    indexed(&locum).await;
    let session = ["--session", agent.session.as_str()];
    let all = count(&locum, &session);
    assert!(all >= 6, "{all}");
    assert_eq!(
        count(&locum, &["--event", "exchange.opened", "/orders/17"]),
        1
    );
    assert_eq!(
        count(
            &locum,
            &[
                "--operator",
                "ada@support.example",
                "--event",
                "grant.issued"
            ]
        ),
        1
    );
    assert_eq!(count(&locum, &["--tenant", "globex"]), 0);
    assert_eq!(count(&locum, &["--grant", &agent.grant]), all);
    // The serving process keeps the index: the command takes the old one away and leaves the rest to it.
    let done = locum.command(&["audit", "reindex"]);
    assert!(done.status.success(), "{done:?}");
    locum.until("locum_index_rebuilds", 2.0).await;
    indexed(&locum).await;
    assert_eq!(count(&locum, &session), all);
    let table = locum.command(&["audit", "search", "--event", "exchange.opened"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.starts_with("SEQUENCE") && table.contains("GET /orders/18"),
        "{table}"
    );
    let csv = locum.command(&["audit", "search", "--all", "--format", "csv", "--oldest"]);
    let csv = String::from_utf8_lossy(&csv.stdout).into_owned();
    assert!(
        csv.starts_with("sequence,time,event,") && csv.contains("\n1,"),
        "{csv}"
    );
    let wrong = locum.command(&["audit", "search", "or*"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn a_changed_record_is_named_and_the_answer_is_no() {
    let (_app, locum) = served().await;
    let agent = locum.agent().await;
    locum.get(&agent, "/orders/17").await;
    indexed(&locum).await;
    let dir = locum.dir().join("state/journal");
    let path: PathBuf = dir.join("segment-0000000000000001.jsonl");
    let text = std::fs::read_to_string(&path).expect("a segment");
    std::fs::write(&path, text.replace("/orders/17", "/orders/99")).expect("written");
    let (code, said) = search(&locum, &["--event", "exchange.opened"]);
    assert_eq!(code, Some(1), "{said}");
    let why = said["not_as_indexed"][0]["why"]
        .as_str()
        .unwrap_or_default();
    assert!(why.contains("changed"), "{said}");
}

#[tokio::test]
async fn recorded_requests_are_decided_again() {
    let (_app, locum) = served().await;
    let agent = locum.agent().await;
    for path in ["/orders/17", "/orders/18"] {
        locum.get(&agent, path).await;
    }
    let (old, new) = (locum.dir().join("old.toml"), locum.dir().join("new.toml"));
    let stricter = "\n[[rows]]\nid = \"no-orders\"\nmatch = \"GET /orders/{order}\"\naction = \"page\"\neffect = \"deny\"\n";
    std::fs::write(&old, POLICY).expect("written");
    std::fs::write(&new, format!("{POLICY}{stricter}")).expect("written");
    let journal = locum.dir().join("state/journal");
    let text = |path: &PathBuf| path.display().to_string();
    let diff = |old: &PathBuf, new: &PathBuf| {
        let arguments = [
            "--json",
            "policy",
            "diff",
            &text(old),
            &text(new),
            "--replay",
            &text(&journal),
        ];
        let done = locum.command(&arguments);
        let said: Value =
            serde_json::from_slice(&done.stdout).unwrap_or_else(|why| panic!("{why}: {done:?}"));
        (done.status.code(), said)
    };
    let (code, said) = diff(&old, &new);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said["rows"]["added"][0]["rule"], "no-orders");
    let group = &said["replay"]["otherwise"][0];
    assert_eq!(
        (&group["new"]["rule"], &group["count"]),
        (&"no-orders".into(), &2.into()),
        "{said}"
    );
    assert_eq!(group["examples"].as_array().map(Vec::len), Some(2));
    let (code, said) = diff(&old, &old);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["replay"]["same"], said["replay"]["requests"]);
}
