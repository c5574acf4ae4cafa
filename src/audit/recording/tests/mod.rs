//! The format from end to end: written, read, torn, changed, erased.

mod cost;
mod recorder;

use super::testing::{Full, Sample, Sheet};
use super::*;
use crate::model::SessionId;
use proptest::prelude::*;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

const PAGE: &[u8] = b"<!doctype html><title>Orders</title><p>Order 17";

fn library() -> (tempfile::TempDir, Settings, Library) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::new(dir.path().join("recordings"));
    let library = Library::open(&settings).unwrap();
    (dir, settings, library)
}

fn one_page(settings: &Settings) -> SessionId {
    let mut sample = Sample::begin(settings);
    let x = sample.exchange("GET", "https://s1.shop.example/orders?page=2");
    sample.side(x, Which::Request, None, &[("accept", "text/html")], None);
    let html = [("content-type", "text/html")];
    sample.side(x, Which::Received, Some(200), &html, Some(PAGE));
    sample.shown_as_received(x, 200, &html, PAGE);
    sample.end(x, "done");
    sample.finish()
}

fn tape_file(settings: &Settings, session: SessionId) -> PathBuf {
    settings.dir.join(format!("{session}.tape"))
}

#[test]
fn what_was_written_is_read_again() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let tape = library.tape(session).unwrap();
    let [taped] = tape.exchanges() else { panic!() };
    assert_eq!(taped.origin, "https://s1.shop.example");
    assert_eq!(taped.target, "/orders?page=2");
    assert_eq!(taped.outcome, "done");
    let shown = taped.shown.as_ref().unwrap();
    assert_eq!(shown.status, Some(200));
    let body = shown.body.as_ref().unwrap();
    assert_eq!(tape.body(body).unwrap(), PAGE);
    let received = taped.received.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!(received.pieces, body.pieces);
    assert!(tape.torn().is_empty());
}

#[test]
fn large_bodies_and_messages_come_back_whole() {
    let (_dir, settings, library) = library();
    let large: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let mut sample = Sample::begin(&settings);
    let x = sample.exchange("GET", "https://s1.shop.example/download");
    sample.side(x, Which::Received, Some(200), &[], Some(&large));
    sample.message(x, From::App, Kind::Event, b"data: 1");
    sample.message(x, From::Operator, Kind::Binary, &large);
    let session = sample.finish();
    let tape = library.tape(session).unwrap();
    let taped = &tape.exchanges()[0];
    assert_eq!(taped.ended_at, None);
    let body = taped.received.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!(tape.body(body).unwrap(), large);
    let mut read = Vec::new();
    tape.read(body).read_to_end(&mut read).unwrap();
    assert_eq!(read, large);
    assert_eq!(taped.messages[0].payload, b"data: 1");
    assert_eq!(taped.messages[1].payload, large);
    // The message's bytes are those of the body: they are on the tape once.
    let stored = fs::metadata(tape_file(&settings, session)).unwrap().len();
    assert!(stored < 2 * large.len() as u64);
}

#[test]
fn a_tape_that_ends_anywhere_is_torn_there_and_readable_up_to_it() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let path = tape_file(&settings, session);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let tape = library.tape(session).unwrap();
        let kept: u64 = tape.torn().iter().map(|torn| torn.at).sum();
        let torn: u64 = tape.torn().iter().map(|torn| torn.bytes).sum();
        assert!(torn == 0 || kept + torn == length as u64, "at {length}");
        assert!(tape.exchanges().len() <= 1);
    }
}

#[test]
fn zeros_at_the_end_are_a_torn_tail_and_zeros_before_more_are_damage() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let path = tape_file(&settings, session);
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len() as u64;
    bytes.extend([0; 5000]);
    fs::write(&path, &bytes).unwrap();
    let tape = library.tape(session).unwrap();
    let torn = Torn {
        part: 1,
        at: length,
        bytes: 5000,
    };
    assert_eq!(tape.torn(), [torn]);
    bytes.push(1);
    fs::write(&path, &bytes).unwrap();
    let damaged = library.tape(session);
    assert!(matches!(damaged, Err(RecordingError::Damaged { .. })));
}

#[test]
fn every_flipped_bit_is_found() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let path = tape_file(&settings, session);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        let found = library.tape(session).and_then(|tape| {
            // A length that grew beyond the file looks like a torn tail, and is told as one.
            let body = tape.exchanges().first().and_then(|x| x.shown.clone());
            let body = body.and_then(|side| side.body).unwrap_or_default();
            tape.body(&body).map(|_| tape.torn().len())
        });
        assert!(!matches!(found, Ok(0)), "byte {at}");
    }
}

#[test]
fn frames_cannot_be_swapped_between_tapes_of_two_sessions() {
    let (_dir, settings, library) = library();
    let (one, other) = (one_page(&settings), one_page(&settings));
    let bytes = fs::read(tape_file(&settings, other)).unwrap();
    fs::write(tape_file(&settings, one), bytes).unwrap();
    assert!(matches!(
        library.tape(one),
        Err(RecordingError::Damaged { .. })
    ));
}

#[test]
fn what_is_not_there_is_told_from_what_was_erased_and_what_is_sealed() {
    let (dir, settings, library) = library();
    let nobody = SessionId::fresh();
    assert!(matches!(
        library.tape(nobody),
        Err(RecordingError::Absent { .. })
    ));
    let session = one_page(&settings);
    let mut other = settings.clone();
    other.keys = vec![settings::MasterKey {
        id: "new".into(),
        source: settings::KeySource::Own(dir.path().join("other.key")),
    }];
    let stranger = Library::open(&other).unwrap();
    assert!(matches!(
        stranger.tape(session),
        Err(RecordingError::Sealed { .. })
    ));
    let at = crate::model::Timestamp::from_millis(1);
    let erased = Erased {
        at,
        by: "cli:root".into(),
        why: "asked by the customer".into(),
        agreed: None,
    };
    let ledger = Sheet::default();
    library.erase(session, erased.clone(), &ledger).unwrap();
    assert_eq!(ledger.codes(), ["recording.erased"]);
    assert!(
        matches!(library.tape(session), Err(RecordingError::Erased { why, .. }) if why == erased.why)
    );
    assert!(!settings.dir.join(format!("{session}.key")).exists());
    assert!(!tape_file(&settings, session).exists());
    assert_eq!(library.sessions().unwrap()[0].erased(), Some(&erased));
}

#[test]
fn a_hold_stops_erasing_until_it_is_released() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let at = crate::model::Timestamp::from_millis(1);
    let erased = || Erased {
        at,
        by: "locum".into(),
        why: "retention".into(),
        agreed: None,
    };
    let ledger = Sheet::default();
    let targets = [
        HoldOn::Session(session),
        HoldOn::Tenant("acme".into()),
        HoldOn::Subject("jane".into()),
    ];
    for on in targets {
        let hold = Hold::new(on, "case 7", "cli:root", at);
        let id = hold.id.clone();
        library.hold(hold, &ledger).unwrap();
        let refused = library.erase(session, erased(), &ledger);
        assert!(matches!(
            refused,
            Err(Undone::Recording(RecordingError::Held { .. }))
        ));
        assert_eq!(library.summary(session).unwrap().holds.len(), 1);
        let release = || library.release(&id, "cli:root", "case 7 is over", &ledger);
        assert!(release().unwrap().is_some());
        assert!(release().unwrap().is_none());
    }
    let hold = Hold::new(HoldOn::Tenant("other".into()), "case 8", "cli:root", at);
    library.hold(hold, &ledger).unwrap();
    let full = library.erase(session, erased(), &Full);
    assert!(matches!(full, Err(Undone::Unrecorded(_))));
    assert!(
        library.tape(session).is_ok(),
        "off the record nothing is erased"
    );
    library.erase(session, erased(), &ledger).unwrap();
    let pair = ["recording.held", "recording.released"];
    let mut codes = pair.repeat(3);
    codes.extend(["recording.held", "recording.erased"]);
    assert_eq!(ledger.codes(), codes);
}

#[test]
fn one_asks_for_an_erasing_and_its_version_tells_that_something_changed() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let ledger = Sheet::default();
    let before = library.summary(session).unwrap().version();
    let asked = Asked {
        at: crate::model::Timestamp::from_millis(1),
        by: "sam".into(),
        account: "idp|sam".into(),
        why: "case 812".into(),
        until: crate::model::Timestamp::from_millis(9),
    };
    let ask = Step::Ask(asked.clone());
    let seen = library.step(session, |_| Ok(ask), &ledger).unwrap();
    assert_eq!(seen.about.asked, Some(asked));
    assert_ne!(seen.version(), before);
    assert!(library.tape(session).is_ok(), "asking erases nothing");
    let refuse = Step::Refuse {
        by: "sue".into(),
        why: "no".into(),
    };
    let seen = library.step(session, |_| Ok(refuse), &ledger).unwrap();
    assert_eq!((seen.about.asked.as_ref(), seen.version()), (None, before));
    let codes = ["recording.erasure-asked", "recording.erasure-refused"];
    assert_eq!(ledger.codes(), codes);
}

#[test]
fn nobody_sees_a_recording_without_a_reason_on_record() {
    let (_dir, settings, library) = library();
    let session = one_page(&settings);
    let mut viewing = Viewing {
        by: "ada".into(),
        account: None,
        reason: "  ".into(),
        over: "cli",
        doing: "show".into(),
    };
    let ledger = Sheet::default();
    let refused = library.view(session, &viewing, &ledger);
    assert!(matches!(refused, Err(Undone::Recording(_))));
    viewing.reason = "complaint 12".into();
    let refused = library.view(session, &viewing, &Full);
    assert!(matches!(refused, Err(Undone::Unrecorded(_))));
    assert_eq!(ledger.codes(), [""; 0]);
    let tape = library.view(session, &viewing, &ledger);
    assert_eq!(tape.unwrap().exchanges().len(), 1);
    let seen = ledger.0.into_inner();
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (seen.actor.as_str(), seen.tenant.as_deref()),
        ("ada", Some("acme"))
    );
    assert_eq!(seen.details[0], ("why".into(), "complaint 12".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_makes_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), keep in 0usize..64) {
        let (_dir, settings, library) = library();
        let session = one_page(&settings);
        let path = tape_file(&settings, session);
        let mut file = fs::read(&path).unwrap();
        file.truncate(keep);
        file.extend(bytes);
        fs::write(&path, file).unwrap();
        let _ = library.tape(session);
    }
}
