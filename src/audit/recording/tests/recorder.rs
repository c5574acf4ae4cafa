//! The recorder with a journal beside it: what it is given is on the tape, and the closing record says so.

use super::super::*;
use crate::audit::recording::Closed;
use crate::audit::tests::fixture::{Support, lines, start};
use crate::audit::{Banner, Journal, Outcome};
use crate::model::{
    Clock, ExchangeId, GrantId, OnOverrun, Record, RecordRule, SessionId, Tier, Timestamp,
};
use bytes::Bytes;
use http::HeaderMap;
use std::path::Path;

pub(super) const BODIES: RecordRule = RecordRule {
    record: Record::Bodies,
    on_overrun: OnOverrun::Gap,
};

const MUST: RecordRule = RecordRule {
    record: Record::Bodies,
    on_overrun: OnOverrun::Fail,
};

pub(super) struct Bench {
    dir: tempfile::TempDir,
    journal: Journal,
    pub(super) recorder: Recorder,
    settings: Settings,
    support: Support,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = start(&dir.path().join("journal"));
        let mut settings = Settings::new(dir.path().join("recordings"));
        change(&mut settings);
        let recorder = Self::recorder(&settings, &journal);
        Self {
            dir,
            journal,
            recorder,
            settings,
            support: Support::new(),
        }
    }

    fn recorder(settings: &Settings, journal: &Journal) -> Recorder {
        let query = ["code".to_owned()];
        Recorder::start(settings.clone(), &query, journal.clone(), Clock::System).unwrap()
    }

    fn about(session: SessionId) -> About {
        About {
            version: 1,
            session,
            grant: GrantId::fresh(),
            app: "shop".into(),
            tenant: "acme".into(),
            subject: "jane".into(),
            operator: "ada".into(),
            tier: Tier::Ordinary,
            break_glass: false,
            opened_at: Timestamp::now(),
            asked: None,
            erased: None,
        }
    }

    pub(super) fn begin(&self, session: SessionId, rule: RecordRule) -> Result<Tap, Overrun> {
        let start = Start {
            exchange: ExchangeId::fresh(),
            origin: "https://s1.shop.example",
            method: "POST",
            target: "/orders?code=hunter2&page=1",
            protocol: "http/1.1",
            rule: "orders",
            action: "orders.read",
        };
        let begun = self.recorder.begin(rule, Self::about(session), &start);
        block_on(begun)
    }

    pub(super) fn close(&self, tap: &Tap, outcome: Outcome) {
        let receipt = self.support.open(&self.journal).unwrap();
        let closed = Closed {
            outcome,
            status: Some(200),
            request_bytes: 3,
            response_bytes: 3,
            request_sha256: Some([1; 32]),
            response_sha256: Some([2; 32]),
            total: None,
            first_byte: None,
            banner: Banner::NotNeeded,
            upstream: None,
            cause: String::new(),
        };
        tap.close(receipt, closed, true);
    }

    pub(super) fn stop(&self) -> Library {
        self.recorder.stop();
        self.journal.stop("test");
        Library::open(&self.settings).unwrap()
    }

    fn records(&self, code: &str) -> Vec<serde_json::Value> {
        records(&self.dir.path().join("journal"), code)
    }
}

fn records(dir: &Path, code: &str) -> Vec<serde_json::Value> {
    let all = lines(dir).into_iter();
    all.filter(|(event, _)| event == code)
        .map(|(_, json)| json)
        .collect()
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn what_was_sent_received_and_shown_is_on_the_tape_and_in_the_record() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    let tap = bench.begin(session, BODIES).unwrap();
    let none = HeaderMap::new();
    let cookie = headers(&[("cookie", "hunter2")]);
    tap.headers(Which::Request, None, &cookie).unwrap();
    let data = |side, text: &'static str| tap.data(side, &Bytes::from_static(text.as_bytes()));
    data(Which::Request, "a=1").unwrap();
    tap.headers(Which::Received, Some(200), &none).unwrap();
    tap.headers(Which::Shown, Some(200), &none).unwrap();
    tap.rewrites();
    data(Which::Received, "one ").unwrap();
    data(Which::Shown, "ONE ").unwrap();
    data(Which::Received, "two").unwrap();
    data(Which::Shown, "TWO, with a banner").unwrap();
    bench.close(&tap, Outcome::Done);
    bench.recorder.session_ended(session);
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    let [taped] = tape.exchanges() else { panic!() };
    let body = |side: &Option<Side>| {
        let body = side.as_ref().unwrap().body.as_ref().unwrap();
        String::from_utf8(tape.body(body).unwrap()).unwrap()
    };
    assert_eq!(body(&taped.request), "a=1");
    assert_eq!(body(&taped.received), "one two");
    assert_eq!(body(&taped.shown), "ONE TWO, with a banner");
    assert_eq!(taped.target, "/orders?code=[redacted]&page=1");
    let request = &taped.request.as_ref().unwrap().headers;
    assert_eq!(request[0].1, b"[redacted]");
    let closed = &bench.records("exchange.closed")[0]["locum"]["recording"];
    let shown = taped.shown.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!(closed["mode"], "bodies");
    assert_eq!(closed["shown_sha256"], shown.sha256.as_str());
    assert!(closed.get("gap").is_none(), "{closed}");
    // The mark in the journal is the digest of the file.
    let marked = &bench.records("recording.marked")[0]["locum"];
    let file = std::fs::read(bench.settings.dir.join(format!("{session}.tape"))).unwrap();
    assert_eq!(marked["bytes"], file.len());
    let digest = super::super::digest::sha256(&file);
    assert_eq!(marked["sha256"], super::super::digest::encode(&digest));
}

#[test]
fn what_was_not_rewritten_is_stored_once() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    let tap = bench.begin(session, BODIES).unwrap();
    tap.headers(Which::Received, Some(200), &HeaderMap::new())
        .unwrap();
    tap.headers(Which::Shown, Some(200), &HeaderMap::new())
        .unwrap();
    tap.data(Which::Received, &Bytes::from_static(b"the same"))
        .unwrap();
    bench.close(&tap, Outcome::Done);
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    let taped = &tape.exchanges()[0];
    let of = |side: &Option<Side>| side.as_ref().unwrap().body.clone().unwrap();
    assert_eq!(of(&taped.shown), of(&taped.received));
    assert_eq!(tape.body(&of(&taped.shown)).unwrap(), b"the same");
}

#[test]
fn only_heads_are_on_a_tape_of_heads() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    let rule = RecordRule {
        record: Record::Headers,
        ..BODIES
    };
    let tap = bench.begin(session, rule).unwrap();
    tap.headers(Which::Received, Some(204), &HeaderMap::new())
        .unwrap();
    tap.data(Which::Received, &Bytes::from_static(b"secret"))
        .unwrap();
    bench.close(&tap, Outcome::Done);
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    let received = tape.exchanges()[0].received.clone().unwrap();
    assert_eq!(received.status, Some(204));
    let body = received.body.unwrap();
    assert!(body.withheld.is_some() && body.bytes == 3);
    assert!(matches!(
        tape.body(&body),
        Err(RecordingError::NotWhole { .. })
    ));
}

#[test]
fn a_full_queue_is_a_gap_or_a_refusal() {
    let bench = Bench::with(|settings| settings.queue_bytes = 100_000);
    let session = SessionId::fresh();
    let gap = bench.begin(session, BODIES).unwrap();
    let must = bench.begin(session, MUST).unwrap();
    let none = HeaderMap::new();
    for tap in [&gap, &must] {
        tap.headers(Which::Received, Some(200), &none).unwrap();
    }
    block_on(bench.recorder.settled());
    let large = Bytes::from(vec![7; 200_000]);
    assert_eq!(gap.data(Which::Received, &large), Ok(()));
    assert_eq!(must.data(Which::Received, &large), Err(Overrun));
    // After a gap nothing more of the body is taken: what is stored is its beginning.
    gap.data(Which::Received, &Bytes::from_static(b"more"))
        .unwrap();
    bench.close(&gap, Outcome::Done);
    bench.close(&must, Outcome::Cut);
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    let taped = &tape.exchanges()[0];
    assert_eq!(taped.gaps[0].bytes, 200_004);
    let body = taped.received.as_ref().unwrap().body.clone().unwrap();
    assert!(!body.is_whole && body.bytes == 200_004);
    let closed = bench.records("exchange.closed");
    let recording = &closed[0]["locum"]["recording"];
    assert_eq!(recording["gap"]["bytes"], 200_004, "{recording}");
    assert!(
        bench
            .recorder
            .counters()
            .overruns
            .load(std::sync::atomic::Ordering::Relaxed)
            >= 2
    );
}

#[test]
fn where_nothing_can_be_written_it_is_refused_or_a_gap_and_comes_back_by_itself() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    // A file where the directory should be: nothing can be made in it.
    std::fs::write(&bench.settings.dir, b"in the way").unwrap();
    assert_eq!(bench.begin(session, MUST).err(), Some(Overrun));
    let tap = bench.begin(session, BODIES).unwrap();
    bench.close(&tap, Outcome::Done);
    block_on(bench.recorder.settled());
    assert_eq!(bench.records("recording.state")[0]["locum"]["up"], false);
    let closed = &bench.records("exchange.closed")[0]["locum"]["recording"];
    assert!(closed["gap"]["why"].is_string(), "{closed}");
    std::fs::remove_file(&bench.settings.dir).unwrap();
    let is_up = || bench.records("recording.state").len() == 2;
    let began = std::time::Instant::now();
    while !is_up() {
        assert!(began.elapsed().as_secs() < 30, "never came back");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(bench.begin(session, MUST).is_ok());
    bench.stop();
}

#[test]
fn a_second_recorder_goes_on_in_a_part_of_its_own() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    let one = |bench: &Bench, text: &'static str| {
        let tap = bench.begin(session, BODIES).unwrap();
        tap.headers(Which::Received, Some(200), &HeaderMap::new())
            .unwrap();
        tap.data(Which::Received, &Bytes::from_static(text.as_bytes()))
            .unwrap();
        bench.close(&tap, Outcome::Done);
    };
    one(&bench, "before");
    bench.recorder.stop();
    // What a crash leaves: half a frame.
    let path = bench.settings.dir.join(format!("{session}.tape"));
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    std::io::Write::write_all(&mut torn, &[0, 0, 1, 0, 9, 9]).unwrap();
    let bench = Bench {
        recorder: Bench::recorder(&bench.settings, &bench.journal),
        ..bench
    };
    one(&bench, "after");
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    assert_eq!(tape.exchanges().len(), 2);
    assert_eq!(tape.torn().len(), 1);
    let second = std::fs::read(bench.settings.dir.join(format!("{session}.2.tape"))).unwrap();
    let first = std::fs::read(&path).unwrap();
    // Another salt, and so another key: no nonce of the first part is used again under its key.
    assert_ne!(first[32..64], second[32..64]);
}

#[test]
fn messages_have_their_times_and_senders() {
    let bench = Bench::new();
    let session = SessionId::fresh();
    let tap = bench.begin(session, BODIES).unwrap();
    let message = |from, kind, text: &'static str| {
        let bytes = Bytes::from_static(text.as_bytes());
        tap.message(from, kind, bytes.len() as u64, bytes, None)
            .unwrap();
    };
    message(From::Operator, Kind::Text, "hello");
    message(From::App, Kind::Binary, "there");
    bench.close(&tap, Outcome::Done);
    let library = bench.stop();
    let tape = library.tape(session).unwrap();
    let messages = &tape.exchanges()[0].messages;
    let told: Vec<_> = messages
        .iter()
        .map(|it| (it.from, it.kind, it.payload.as_slice()))
        .collect();
    let expected = [
        (From::Operator, Kind::Text, &b"hello"[..]),
        (From::App, Kind::Binary, b"there"),
    ];
    assert_eq!(told, expected);
}
