//! A recording with bytes changed, put in or cut anywhere: reading it never panics, and what is read is what was written.
//! Input: changes of three bytes each (place, place, what to XOR), a last odd byte cuts the end off.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use locum::audit::Journal;
use locum::audit::recording::{About, Kind, Library, Recorder, Settings, Start, Viewing, Which};
use locum::model::{Clock, ExchangeId, GrantId, Happened, Ledger, Record, SessionId, Tier, Timestamp};
use std::path::PathBuf;
use std::sync::LazyLock;

const PAGE: &[u8] = b"<!doctype html><title>Orders</title><p>Order 17</p>";

/// A good recording: where it lies, whose it is, its bytes.
struct Good {
    _dir: tempfile::TempDir,
    library: Library,
    session: SessionId,
    tape: PathBuf,
    bytes: Vec<u8>,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = locum::audit::Settings {
        dir: dir.path().join("journal"),
        ..locum::audit::Settings::default()
    };
    let journal = Journal::start(journal, Clock::System).expect("a journal");
    let settings = Settings::new(dir.path().join("recordings"));
    let recorder = Recorder::start(settings.clone(), &[], journal.clone(), Clock::System);
    let recorder = recorder.expect("a recorder");
    let session = SessionId::fresh();
    let about = About {
        version: 1,
        session,
        grant: GrantId::fresh(),
        app: "shop".into(),
        tenant: "acme".into(),
        subject: "kim".into(),
        operator: "ada".into(),
        tier: Tier::Ordinary,
        break_glass: false,
        opened_at: Timestamp::now(),
        asked: None,
        erased: None,
    };
    let start = Start {
        exchange: ExchangeId::fresh(),
        origin: "https://s1.shop.example",
        method: "GET",
        target: "/orders",
        protocol: "http/1.1",
        rule: "orders",
        action: "orders.read",
    };
    let tap = recorder.begin_anyhow(Record::Bodies, about, &start);
    let none = http::HeaderMap::new();
    let _ = tap.headers(Which::Received, Some(200), &none);
    let _ = tap.headers(Which::Shown, Some(200), &none);
    let _ = tap.data(Which::Received, &Bytes::from_static(PAGE));
    let from = locum::audit::recording::From::Operator;
    let _ = tap.message(from, Kind::Text, 2, Bytes::from_static(b"hi"), None);
    tap.end("done", true);
    recorder.stop();
    journal.stop("fuzz");
    let tape = settings.dir.join(format!("{session}.tape"));
    let bytes = std::fs::read(&tape).expect("a tape");
    Good {
        library: Library::open(&settings).expect("a library"),
        _dir: dir,
        session,
        tape,
        bytes,
    }
});

/// Nobody looks but the fuzzer.
struct Unread;

impl Ledger for Unread {
    type Error = std::convert::Infallible;

    fn put(&self, _: Happened) -> Result<(), Self::Error> {
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let good = &*GOOD;
    let mut changed = good.bytes.clone();
    let chunks = input.chunks_exact(3);
    let cut = chunks.remainder().first().copied().unwrap_or(0);
    for change in chunks {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
        changed[at] ^= change[2];
    }
    changed.truncate(changed.len() - usize::from(cut).min(changed.len()));
    std::fs::write(&good.tape, &changed).expect("written");
    let viewing = Viewing {
        by: "fuzz".into(),
        account: None,
        reason: "to compare".into(),
        over: "cli",
        doing: "compare".into(),
    };
    let Ok(tape) = good.library.view(good.session, &viewing, Unread) else {
        assert!(changed != good.bytes, "a good tape is refused");
        return;
    };
    let mut is_whole = tape.torn().is_empty();
    for taped in tape.exchanges() {
        let body = taped.shown.as_ref().and_then(|side| side.body.as_ref());
        match body.map(|body| tape.body(body)) {
            Some(Ok(bytes)) => assert_eq!(bytes, PAGE, "other bytes than were written"),
            Some(Err(_)) | None => is_whole = false,
        }
        is_whole &= taped.ended_at.is_some();
    }
    let is_same = !tape.exchanges().is_empty() && is_whole;
    assert!(!is_same || changed == good.bytes, "a changed byte went unnoticed");
});
