//! The recording, by the real binary: what the tape holds is what was sent and what was seen, byte for byte.

use super::sessions::is;
use super::sockets::{echo, open, text};
use crate::support::client::Answer;
use crate::support::locum::{Agent, Locum, PATIENCE, POLICY, Plan};
use crate::support::upstream::Upstream;
use locum::audit::recording::{
    Body, From, Kind, Library, RecordingError, Settings, Side, Tape, Taped, Undone, Viewing,
};
use locum::model::{Happened, Ledger, SessionId};
use serde_json::Value;
use std::time::{Duration, Instant};

const ALL: &str = "[recording]\nordinary = { record = \"bodies\" }\n";

const PAGE: &str = "<!doctype html><html><head><title>Shop</title></head><body><p>Order 17</p>\
     <input type=\"password\" value=\"hunter2\"></body></html>";

/// 16 MiB that do not repeat.
fn large() -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()
    };
    (0..2 << 20).flat_map(|_| next()).collect()
}

async fn app() -> Upstream {
    Upstream::start(|heard, wire| {
        Box::pin(async move {
            match heard.target() {
                "/page" => {
                    wire.ok("Content-Type: text/html\r\nSet-Cookie: sid=hunter2\r\n", PAGE)
                        .await;
                }
                "/api" => {
                    wire.ok("Content-Type: application/json\r\n", "{\"total\": 17}")
                        .await;
                }
                "/large" => {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                        16 << 20
                    );
                    wire.send(head).await;
                    wire.send(large()).await;
                }
                "/events" => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                    wire.send(head).await;
                    for event in ["id: 1\ndata: one\n\n", "event: two\ndata: two\n\n"] {
                        wire.send(format!("{:x}\r\n{event}\r\n", event.len())).await;
                        tokio::time::sleep(Duration::from_millis(60)).await;
                    }
                    wire.send("0\r\n\r\n").await;
                }
                _ => wire.ok("Content-Type: text/plain\r\n", "taken").await,
            }
        })
    })
    .await
}

fn library(locum: &Locum) -> Library {
    Library::open(&Settings::new(locum.dir().join("state/recordings"))).unwrap()
}

/// Nobody looks but the test.
struct Unread;

impl Ledger for Unread {
    type Error = std::convert::Infallible;

    fn put(&self, _: Happened) -> Result<(), Self::Error> {
        Ok(())
    }
}

fn looked(locum: &Locum, session: SessionId) -> Result<Tape, RecordingError> {
    let viewing = Viewing {
        by: "a test".to_owned(),
        account: None,
        reason: "to compare".to_owned(),
        over: "cli",
        doing: "compare".to_owned(),
    };
    match library(locum).view(session, &viewing, Unread) {
        Ok(tape) => Ok(tape),
        Err(Undone::Recording(why)) => Err(why),
        Err(Undone::Unrecorded(never)) => match never {},
    }
}

/// The session's tape, once it holds the end of so many exchanges.
pub(super) async fn tape(locum: &Locum, agent: &Agent, ended: usize) -> Tape {
    let session: SessionId = agent.session.parse().unwrap();
    let began = Instant::now();
    loop {
        let tape = looked(locum, session);
        if let Ok(tape) = tape
            && tape
                .exchanges()
                .iter()
                .filter(|x| x.ended_at.is_some())
                .count()
                >= ended
        {
            return tape;
        }
        assert!(began.elapsed() < PATIENCE, "no tape of {ended} exchanges");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn body(side: Option<&Side>) -> &Body {
    side.unwrap().body.as_ref().unwrap()
}

pub(super) fn of<'t>(tape: &'t Tape, target: &str) -> &'t Taped {
    let found = tape.exchanges().iter().find(|x| x.target == target);
    found.unwrap_or_else(|| panic!("{target} is not on the tape: {:?}", tape.exchanges()))
}

pub(super) async fn closed(locum: &Locum, taped: &Taped) -> Value {
    let exchange = taped.exchange.to_string();
    locum
        .record(|one| is(one, "exchange.closed") && one["metadata"]["correlation_uid"] == exchange)
        .await
}

fn navigate(agent: &Agent, target: &str) -> String {
    agent.request(
        "GET",
        target,
        "Accept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n",
    )
}

#[tokio::test]
async fn what_was_sent_and_what_was_seen_are_on_the_tape_byte_for_byte() {
    let app = app().await;
    let locum = Locum::start(
        &Plan::new(&app.address).rest(&ALL.replace("ordinary", "redact_selectors = []\nordinary")),
    )
    .await;
    let agent = locum.agent().await;
    let page: Answer = locum.ask(&agent, &navigate(&agent, "/page")).await;
    let api = locum.get(&agent, "/api").await;
    let download = locum.get(&agent, "/large").await;
    let upload = String::from_utf8(vec![b'u'; 3 << 20]).unwrap();
    let fields = "Content-Type: application/octet-stream\r\n";
    let taken = locum
        .ask(&agent, &agent.post("/upload", fields, &upload))
        .await;
    assert_eq!(taken.status, 200);
    let tape = tape(&locum, &agent, 4).await;

    let taped = of(&tape, "/page");
    assert_eq!(
        tape.body(body(taped.received.as_ref())).unwrap(),
        PAGE.as_bytes()
    );
    assert_eq!(tape.body(body(taped.shown.as_ref())).unwrap(), page.body);
    assert!(page.body.len() > PAGE.len(), "it has the banner");
    let sent = taped.received.as_ref().unwrap().headers.iter();
    let cookies: Vec<_> = sent.filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies[0].1, b"[redacted]");
    let closing = closed(&locum, taped).await;
    let recording = &closing["locum"]["recording"];
    assert_eq!(recording["mode"], "bodies", "{closing}");
    assert_eq!(
        recording["received_sha256"],
        closing["locum"]["response_sha256"]
    );
    assert_eq!(
        recording["shown_sha256"],
        body(taped.shown.as_ref()).sha256.as_str()
    );
    assert!(recording.get("gap").is_none(), "{closing}");

    let taped = of(&tape, "/api");
    assert_eq!(tape.body(body(taped.shown.as_ref())).unwrap(), api.body);
    assert_eq!(
        body(taped.shown.as_ref()).sha256,
        body(taped.received.as_ref()).sha256
    );
    let taped = of(&tape, "/large");
    assert_eq!(download.body.len(), 16 << 20);
    assert!(tape.body(body(taped.shown.as_ref())).unwrap() == download.body);
    let taped = of(&tape, "/upload");
    assert!(tape.body(body(taped.request.as_ref())).unwrap() == upload.as_bytes());
    assert!(
        taped
            .request
            .as_ref()
            .unwrap()
            .headers
            .iter()
            .all(|(name, value)| name != "cookie" || value == b"[redacted]")
    );
}

#[tokio::test]
async fn events_and_refusals_are_on_the_tape_with_their_times() {
    let app = app().await;
    let locum = Locum::start(&Plan::new(&app.address).rest(ALL)).await;
    let agent = locum.agent().await;
    let events = locum.get(&agent, "/events").await;
    let refused = locum.ask(&agent, &navigate(&agent, "/secret")).await;
    assert_eq!(refused.status, 403);
    let tape = tape(&locum, &agent, 2).await;
    let taped = of(&tape, "/events");
    assert_eq!(tape.body(body(taped.shown.as_ref())).unwrap(), events.body);
    let told: Vec<_> = taped
        .messages
        .iter()
        .map(|it| (it.from, it.kind, it.payload.as_slice()))
        .collect();
    let expected = [
        (From::App, Kind::Event, &b"id: 1\ndata: one"[..]),
        (From::App, Kind::Event, b"event: two\ndata: two"),
    ];
    assert_eq!(told, expected);
    let [one, two] = taped.messages.as_slice() else {
        panic!()
    };
    assert!(two.at.millis() - one.at.millis() >= 40, "{one:?} {two:?}");
    let taped = of(&tape, "/secret");
    assert!(taped.received.is_none());
    assert_eq!(taped.shown.as_ref().unwrap().status, Some(403));
    assert_eq!(tape.body(body(taped.shown.as_ref())).unwrap(), refused.body);
    assert_eq!(taped.outcome, "refused");
    let record = locum.record(|one| is(one, "exchange.refused")).await;
    assert_eq!(record["locum"]["recording"]["mode"], "bodies", "{record}");
}

#[tokio::test]
async fn messages_of_a_websocket_are_on_the_tape_with_who_sent_them() {
    let app = echo().await;
    let locum = Locum::start(&Plan::new(&app.address).rest(ALL)).await;
    let agent = locum.agent().await;
    let mut conn = open(&locum, &agent).await;
    for words in ["one", "{\"password\":\"hunter2\"}"] {
        conn.send(text(words)).await;
        assert_eq!(conn.exactly(2 + words.len()).await[2..], *words.as_bytes());
    }
    // A close frame, masked with zeros, and its echo.
    conn.send([0x88, 0x82, 0, 0, 0, 0, 3, 232]).await;
    conn.exactly(4).await;
    drop(conn);
    let tape = tape(&locum, &agent, 1).await;
    let taped = of(&tape, "/ws");
    assert_eq!(taped.protocol, "websocket");
    assert_eq!(taped.shown.as_ref().unwrap().status, Some(101));
    let told: Vec<_> = taped
        .messages
        .iter()
        .map(|it| {
            (
                it.from,
                it.kind,
                String::from_utf8_lossy(&it.payload).into_owned(),
            )
        })
        .collect();
    let both =
        |kind, text: &str| [From::Operator, From::App].map(|from| (from, kind, text.to_owned()));
    let redacted = "{\"password\":\"[redacted]\"}";
    let expected = [
        both(Kind::Text, "one"),
        both(Kind::Text, redacted),
        both(Kind::Close, "\u{3}\u{fffd}"),
    ];
    assert_eq!(told, expected.concat());
}

#[tokio::test]
async fn a_route_says_what_is_recorded_of_it_and_nothing_else_is() {
    let app = app().await;
    let mut plan = Plan::new(&app.address).rest(ALL);
    plan.policy = POLICY.to_owned()
        + "\n[[rows]]\nid = \"api\"\nmatch = \"GET /api\"\naction = \"page\"\neffect = \"allow\"\nrecord = \"none\"\n\
           [[rows]]\nid = \"heads\"\nmatch = \"GET /heads\"\naction = \"page\"\neffect = \"allow\"\nrecord = \"headers\"\n";
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    for target in ["/api", "/heads", "/other"] {
        locum.get(&agent, target).await;
    }
    let tape = tape(&locum, &agent, 2).await;
    let targets: Vec<_> = tape.exchanges().iter().map(|x| x.target.as_str()).collect();
    assert_eq!(targets, ["/heads", "/other"]);
    let heads = of(&tape, "/heads");
    assert_eq!(heads.received.as_ref().unwrap().status, Some(200));
    assert!(body(heads.received.as_ref()).withheld.is_some());
    let opened = locum
        .record(|one| is(one, "exchange.opened") && one["http_request"]["url"]["path"] == "/api")
        .await;
    assert!(opened["locum"].get("recording").is_none(), "{opened}");
}

#[tokio::test]
async fn nothing_is_recorded_where_nothing_says_so_and_break_glass_always_is() {
    let app = app().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    locum.get(&agent, "/api").await;
    let glass = locum.agent_with(&["--break-glass"]).await;
    let api = locum.get(&glass, "/api").await;
    let tape = tape(&locum, &glass, 1).await;
    assert_eq!(
        tape.body(body(of(&tape, "/api").shown.as_ref())).unwrap(),
        api.body
    );
    let quiet: SessionId = agent.session.parse().unwrap();
    let none = looked(&locum, quiet);
    assert!(
        matches!(none, Err(RecordingError::Absent { .. })),
        "{none:?}"
    );
    let about = library(&locum).sessions().unwrap();
    assert!(about.len() == 1 && about[0].about.break_glass);
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_be_recorded_and_lets_the_rest_go_on() {
    let app = app().await;
    let rest = "[recording]\nordinary = { record = \"bodies\" }\nprivileged = { record = \"bodies\", on_overrun = \"fail\" }\n";
    let mut plan = Plan::new(&app.address).rest(rest);
    plan.policy = POLICY.to_owned()
        + "\n[[rows]]\nid = \"must\"\nmatch = \"GET /must\"\naction = \"page\"\neffect = \"allow\"\ntier = \"privileged\"\n";
    let locum = Locum::start(&plan).await;
    // A file where the directory should be: every write fails, as on a disk that is gone.
    std::fs::write(locum.dir().join("state/recordings"), b"in the way").unwrap();
    let agent = locum.agent().await;
    let refused = locum.get(&agent, "/must").await;
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (503, "recording"),
        "{refused:?}"
    );
    assert_eq!(app.saw("/must"), 0);
    assert_eq!(locum.get(&agent, "/api").await.status, 200);
    let is_gap = |one: &Value| {
        is(one, "exchange.closed") && one["locum"]["recording"]["gap"]["why"].is_string()
    };
    locum.record(is_gap).await;
    let refusal = locum
        .record(|one| is(one, "exchange.closed") && one["status_detail"] == "recording")
        .await;
    assert_eq!(refusal["locum"]["outcome"], "refused", "{refusal}");
    // It comes back by itself.
    std::fs::remove_file(locum.dir().join("state/recordings")).unwrap();
    locum
        .record(|one| is(one, "recording.state") && one["locum"]["up"] == true)
        .await;
    assert_eq!(locum.get(&agent, "/must").await.status, 200);
    let tape = tape(&locum, &agent, 1).await;
    assert_eq!(body(of(&tape, "/must").shown.as_ref()).bytes, 5);
}

#[tokio::test]
async fn a_killed_process_goes_on_with_the_tape_in_another_part() {
    let app = app().await;
    let plan = Plan::new(&app.address).rest(ALL);
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    locum.get(&agent, "/api").await;
    tape(&locum, &agent, 1).await;
    let locum = locum.again(&plan, "KILL").await;
    let page = locum.ask(&agent, &navigate(&agent, "/page")).await;
    let tape = tape(&locum, &agent, 2).await;
    assert_eq!(of(&tape, "/api").outcome, "done");
    let shown = of(&tape, "/page").shown.as_ref().unwrap();
    assert_eq!(shown.body.as_ref().unwrap().bytes, page.body.len() as u64);
    let recordings = locum.dir().join("state/recordings");
    assert!(
        recordings
            .join(format!("{}.2.tape", agent.session))
            .exists()
    );
    let verified = locum.command(&["recording", "verify", &agent.session]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn a_changed_tape_is_found_and_an_erased_one_stays_on_record() {
    let app = app().await;
    let mut locum = Locum::start(&Plan::new(&app.address).rest(ALL)).await;
    let agent = locum.agent().await;
    locum.get(&agent, "/api").await;
    tape(&locum, &agent, 1).await;
    locum.revoked(&agent.grant).await;
    locum.record(|one| is(one, "recording.marked")).await;
    let session = agent.session.as_str();
    let verify = || locum.command(&["recording", "verify", session]);
    assert_eq!(verify().status.code(), Some(0), "{:?}", verify());
    let path = locum.dir().join(format!("state/recordings/{session}.tape"));
    let good = std::fs::read(&path).unwrap();
    for bad in [&good[..good.len() - 1], &good[..good.len() / 2]] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(verify().status.code(), Some(1), "{:?}", verify());
    }
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(&path, bad).unwrap();
    assert_eq!(verify().status.code(), Some(1), "{:?}", verify());
    std::fs::write(&path, &good).unwrap();

    let why = ["--reason", "case 812"];
    let command = |arguments: &[&str]| locum.command(&[arguments, &why].concat());
    let held = command(&["--json", "recording", "hold", "--subject", "kim"]);
    let held: Value = serde_json::from_slice(&held.stdout).unwrap();
    let refused = command(&["recording", "erase", session]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let released = command(&["recording", "release", held["id"].as_str().unwrap()]);
    assert!(released.status.success(), "{released:?}");
    let erased = command(&["recording", "erase", session]);
    assert!(erased.status.success(), "{erased:?}");
    assert!(!path.exists() && !path.with_extension("key").exists());
    let id: SessionId = session.parse().unwrap();
    let gone = looked(&locum, id);
    assert!(
        matches!(gone, Err(RecordingError::Erased { .. })),
        "{gone:?}"
    );
    locum.record(|one| is(one, "recording.erased")).await;
    locum.signal("TERM");
    locum.gone().await;
    let verified = locum.command(&["audit", "verify"]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{text}");
    assert!(
        text.contains("1 recording was erased") && text.contains("case 812"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_over_is_erased_by_itself_and_what_is_held_is_not() {
    let app = app().await;
    let rest =
        "[recording]\nordinary = { record = \"bodies\" }\nkeep = \"1s\"\nsweep_interval = \"1s\"\n";
    let locum = Locum::start(&Plan::new(&app.address).rest(rest)).await;
    let (agent, held) = (
        locum.agent().await,
        locum.agent_with(&["--subject", "lee"]).await,
    );
    let hold = locum.command(&[
        "recording",
        "hold",
        "--subject",
        "lee",
        "--reason",
        "case 7",
    ]);
    assert!(hold.status.success(), "{hold:?}");
    for agent in [&agent, &held] {
        locum.get(agent, "/api").await;
    }
    let erased = locum.record(|one| is(one, "recording.erased")).await;
    assert_eq!(
        erased["locum"]["session"],
        agent.session.as_str(),
        "{erased}"
    );
    assert_eq!(erased["locum"]["by"], "locum");
    tape(&locum, &held, 1).await;
}
