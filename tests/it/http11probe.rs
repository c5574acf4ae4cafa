//! 142 raw requests, each with the outcome that RFC 9110 and RFC 9112 ask of a server, replayed on raw sockets
//! against the real binary, with a live session behind each.
//!
//! The cases are data of MDA2AV/Http11Probe (commit 95bc6a9), MIT licence; see `tests/data/README.md`.
//! Against another server, all that changes is [`Target`].

use crate::probed::Probed;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server that says nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a connection is watched for its close after an answer.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// The server under test.
#[derive(Clone)]
pub(crate) struct Target {
    /// `127.0.0.1:port`, where plain HTTP/1.1 is spoken.
    pub(crate) address: String,
    /// What to put for `localhost:8080`.
    pub(crate) host: String,
    /// Header lines to add after a well-formed Host line, each with its CRLF. Empty: none.
    pub(crate) headers: String,
}

#[derive(Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: String,
    rfc: Option<String>,
    expected: String,
    scored: bool,
    raw_request: String,
}

/// What came back.
#[derive(Debug, Default)]
struct Got {
    status: Option<u16>,
    is_closed: bool,
}

/// One row of the table.
pub(crate) struct Outcome {
    case: Case,
    got: Got,
    pub(crate) is_met: bool,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../data/http11probe-cases.json")).unwrap()
}

/// The request as the probe sends it. The data holds at most 8,192 characters of one, and `?` for what is not
/// ASCII; where its description tells, the rest is put back.
fn raw(case: &Case) -> Vec<u8> {
    let cut = case.raw_request.as_str();
    let host = "Host: localhost:8080\r\n\r\n";
    let long = |start: &str, byte: &str, length: usize, end: &str| {
        format!("{start}{}{end}", byte.repeat(length)).into_bytes()
    };
    let many = || (0..10_000).fold(String::new(), |all, n| format!("{all}X-H-{n}: value\r\n"));
    match case.id.as_str() {
        "MAL-LONG-URL" => long("GET /", "A", 100_000, &format!(" HTTP/1.1\r\n{host}")),
        "MAL-LONG-METHOD" => long("", "A", 100_000, &format!(" / HTTP/1.1\r\n{host}")),
        "MAL-LONG-HEADER-VALUE" => long(
            "GET / HTTP/1.1\r\nHost: localhost:8080\r\nX-Big: ",
            "B",
            100_000,
            "\r\n\r\n",
        ),
        "MAL-LONG-HEADER-NAME" => long(
            "GET / HTTP/1.1\r\nHost: localhost:8080\r\n",
            "A",
            100_000,
            ": v\r\n\r\n",
        ),
        "MAL-MANY-HEADERS" => {
            format!("GET / HTTP/1.1\r\nHost: localhost:8080\r\n{}\r\n", many()).into_bytes()
        }
        "MAL-CHUNK-EXT-64K" => long(cut, "a", 65_536 - 8_192, "\r\nhello\r\n0\r\n\r\n"),
        "MAL-NON-ASCII-URL" => cut.replace("caf??", "caf\u{e9}").into_bytes(),
        "MAL-NON-ASCII-HEADER-NAME" => cut.replace("T??st", "T\u{eb}st").into_bytes(),
        "MAL-URL-OVERLONG-UTF8" => [
            b"GET /\xC0\xAF",
            cut.trim_start_matches("GET /??").as_bytes(),
        ]
        .concat(),
        _ => cut.as_bytes().to_vec(),
    }
}

fn replaced(raw: &[u8], from: &str, to: &str, times: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + to.len());
    let mut rest = 0;
    for at in memchr::memmem::find_iter(raw, from).take(times) {
        out.extend_from_slice(&raw[rest..at]);
        out.extend_from_slice(to.as_bytes());
        rest = at + from.len();
    }
    out.extend_from_slice(&raw[rest..]);
    out
}

/// Replays every case; in the order of the file.
pub(crate) async fn probe(target: &Target) -> Vec<Outcome> {
    let tasks: Vec<_> = cases()
        .into_iter()
        .map(|case| {
            let target = target.clone();
            tokio::spawn(async move {
                let got = replay(&target, &case.id, &raw(&case)).await;
                let is_met = is_met(&case.expected, &got);
                Outcome { case, got, is_met }
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

async fn replay(target: &Target, id: &str, raw: &[u8]) -> Got {
    let line = "Host: localhost:8080\r\n";
    let Target { host, headers, .. } = target;
    let own_line = format!("Host: {host}\r\n{headers}X-Probe: {id}\r\n");
    let raw = replaced(raw, line, &own_line, 1);
    let raw = replaced(&raw, "localhost:8080", &target.host, usize::MAX);
    let mut stream = TcpStream::connect(&target.address).await.unwrap();
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(&raw).await;
    let mut answer = Vec::new();
    let mut got = Got::default();
    loop {
        let patience = if got.status.is_some() {
            CLOSE_PATIENCE
        } else {
            PATIENCE
        };
        match timeout(patience, stream.read_buf(&mut answer)).await {
            Ok(Ok(1..)) => got.status = final_status(&answer),
            Ok(_) => {
                got.is_closed = true;
                return got;
            }
            Err(_) => return got,
        }
    }
}

/// The first status that is not a 100.
fn final_status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    let text = match text.strip_prefix("HTTP/1.1 100") {
        Some(rest) => rest.split_once("\r\n\r\n")?.1.to_string(),
        None => text.into_owned(),
    };
    text.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

/// Expectations are lists such as `400 or close`, `400/close/timeout`, `!101`, `2xx + close`, and
/// `400 or close (pass), 2xx (warn)`, of which only what is marked as a pass counts.
fn is_met(expected: &str, got: &Got) -> bool {
    if expected == "!101" {
        return got.status != Some(101);
    }
    if expected == "2xx + close" {
        return matches!(got.status, Some(200..300)) && got.is_closed;
    }
    let passes = expected.split(" (pass)").next().unwrap_or(expected);
    let mut words = passes.split([' ', '/']);
    words.any(|word| match (word, got.status) {
        ("close", None) => got.is_closed,
        ("timeout", None) => !got.is_closed,
        ("2xx", Some(status)) => (200..300).contains(&status),
        (word, Some(status)) => word == status.to_string(),
        _ => false,
    })
}

/// How many of the scored cases are met, of how many.
pub(crate) fn score(outcomes: &[Outcome]) -> (usize, usize) {
    let scored = outcomes.iter().filter(|outcome| outcome.case.scored);
    let met = scored.clone().filter(|outcome| outcome.is_met).count();
    (met, scored.count())
}

/// The table of `docs/http11probe.md`.
pub(crate) fn table(outcomes: &[Outcome], who: &str) -> String {
    let (met, scored) = score(outcomes);
    let mut table = format!(
        "# Http11Probe\n\n\
        The 142 raw requests of [Http11Probe](https://github.com/MDA2AV/Http11Probe) (MIT, commit 95bc6a9), each on its own\n\
        connection, and what {who}.\n\
        `tests/it/http11probe.rs` replays them and writes this file with `LOCUM_WRITE_DOCS=1 cargo test --test it http11probe`.\n\n\
        Each request has the session's `Host` and `Cookie` in place of the probe's `Host`. What was refused, the app never saw;\n\
        what it saw, a parser without any lenience reads in one way: the test checks both on the app's own bytes.\n\n\
        The data cuts long requests and has `?` for bytes that are not ASCII; where a case says what they were, they\n\
        are put back.\n\n\
        Met: {met} of {scored} scored. Unscored cases have no one right outcome by the RFCs; *info* marks them.\n\n\
        | case | source | expected | got | verdict |\n| --- | --- | --- | --- | --- |\n"
    );
    for Outcome { case, got, is_met } in outcomes {
        let status = got
            .status
            .map_or("no answer".into(), |status| status.to_string());
        let state = if got.is_closed { "closed" } else { "open" };
        let verdict = match (is_met, case.scored) {
            (true, true) => "met",
            (false, true) => "**missed**",
            (true, false) => "met (info)",
            (false, false) => "differs (info)",
        };
        let rfc = case.rfc.as_deref().unwrap_or("");
        let (id, expected) = (&case.id, &case.expected);
        writeln!(
            table,
            "| {id} | {rfc} | {expected} | {status}, {state} | {verdict} |"
        )
        .unwrap();
    }
    table
}

/// Misses that are right by the RFCs, with the section that says so. Empty: none is missed.
const JUSTIFIED: &[(&str, &str)] = &[];

/// The table without whether a connection was closed, which a slow machine may see late.
fn verdicts(table: &str) -> String {
    table.replace(", open |", " |").replace(", closed |", " |")
}

fn check_written(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http11probe.md");
    if std::env::var_os("LOCUM_WRITE_DOCS").is_some() {
        std::fs::write(path, table).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        verdicts(&written) == verdicts(table),
        "docs/http11probe.md is old; LOCUM_WRITE_DOCS=1 writes it anew:\n{table}"
    );
}

#[tokio::test]
async fn locum_meets_what_the_rfcs_ask() {
    let probed = Probed::start("").await;
    let target = Target {
        address: probed.address.clone(),
        host: probed.host.clone(),
        headers: probed.cookie.clone(),
    };
    let outcomes = probe(&target).await;
    let table = table(&outcomes, "Locum answers, before an app that says 200");
    let unjustified: Vec<&str> = table
        .lines()
        .filter(|line| line.contains("**missed**"))
        .filter(|line| !JUSTIFIED.iter().any(|(id, _)| line.contains(id)))
        .collect();
    let (met, scored) = score(&outcomes);
    assert_eq!((outcomes.len(), scored), (142, 124));
    assert!(unjustified.is_empty(), "{}", unjustified.join("\n"));
    assert!(met >= 120, "{met} of {scored}");
    let seen = probed.app.bytes().concat();
    for Outcome { case, got, .. } in &outcomes {
        let mark = format!("x-probe: {}\r\n", case.id);
        let is_seen = memchr::memmem::find(&seen, mark.as_bytes()).is_some();
        let is_refused = got.status.is_some_and(|status| status >= 400);
        assert!(!(is_refused && is_seen), "{} reached the app", case.id);
    }
    assert!(probed.app.read_strictly() > 20);
    check_written(&table);
}
