//! A disk that is nearly full: there is an alarm, then requests are refused before it is full, and it goes on by itself.

use super::disk::Small;
use super::rig::{Rig, wait};
use std::path::Path;

const MARKS: &str = "{ alarm = '3MiB', refuse = '2MiB', interval = '100ms' }";

/// Takes room until so many KiB are left of `size` KiB.
fn leave(at: &Path, size: u64, left: u64) {
    let filler = vec![7; usize::try_from((size - left) << 10).expect("small")];
    std::fs::write(at.join("filler"), filler).expect("there is room");
}

fn stands(rig: &Rig, place: &str) -> Vec<String> {
    let rooms = rig.records("disk.room");
    let of = |it: &serde_json::Value| it["locum"]["stand"].as_str().map(str::to_owned);
    let ours = rooms.iter().filter(|it| it["locum"]["place"] == place);
    ours.filter_map(of).collect()
}

#[test]
fn a_journal_stops_before_its_disk_is_full() {
    for durability in ["process", "disk"] {
        let mut rig = Rig::new(&format!(
            "audit.durability = '{durability}'\naudit.min_free = {MARKS}"
        ));
        let Some(_small) = Small::mount(&rig.journal(), "8m") else {
            eprintln!("not root here: no small file system can be mounted");
            return;
        };
        rig.start();
        rig.enter();
        assert_eq!(rig.get("/before").expect("an answer").status, 200);
        assert_eq!(rig.metric("locum_journal_room_low "), Some(0));

        leave(&rig.journal(), 8 << 10, 2560);
        let low = || rig.metric("locum_journal_room_low ") == Some(1);
        assert!(wait(low), "no alarm: {}", rig.log());
        assert_eq!(rig.get("/low").expect("an answer").status, 200);
        assert!(wait(|| stands(&rig, "journal") == ["low"]));
        let alerts = rig.records("alert");
        assert!(
            alerts.iter().any(|it| it["locum"]["kind"] == "room"),
            "{alerts:?}"
        );
        assert!(rig.log().contains("there is little room left for records"));

        leave(&rig.journal(), 8 << 10, 1536);
        let out = || rig.get("/out").is_some_and(|it| it.status == 503);
        assert!(wait(out), "not refused");
        let (reached, free) = (rig.app.reached(), free(&rig));
        let on_record = rig.lines_with("/out").len();
        for _ in 0..100 {
            let refused = rig.get("/out").expect("an answer");
            assert_eq!(refused.status, 503);
            assert!(
                refused.text.contains("urn:locum:refusal:journal-room"),
                "{}",
                refused.text
            );
        }
        assert_eq!(rig.app.reached(), reached, "no record, no request");
        assert!(free > 1 << 20, "the disk is not full: {free}");
        let ready = rig.ready().expect("an answer");
        assert!(
            ready.status == 503 && ready.text.contains("too little room"),
            "{ready:?}"
        );
        rig.verified();

        std::fs::remove_file(rig.journal().join("filler")).expect("removed");
        let works = || rig.get("/after").is_some_and(|it| it.status == 200);
        assert!(wait(works), "it does not go on by itself: {}", rig.log());
        assert_eq!(rig.ready().expect("an answer").status, 200);
        rig.stop();
        rig.verified();
        assert_eq!(stands(&rig, "journal"), ["low", "out", "enough"]);
        let last = rig.records("disk.room").pop().expect("three");
        let refused = last["locum"]["refused"].as_u64().expect("a number");
        assert!(refused >= 100, "{last}");
        let after = rig.lines_with("/out").len();
        assert_eq!(after, on_record, "refusals take no room");
        println!(
            "durability {durability}: {refused} requests refused with {free} bytes left, none of them forwarded"
        );
    }
}

fn free(rig: &Rig) -> u64 {
    rig.metric("locum_journal_free_bytes ").expect("a number")
}

#[test]
fn a_start_with_too_little_room_waits_for_more() {
    let mut rig = Rig::new(&format!("audit.min_free = {MARKS}"));
    let Some(_small) = Small::mount(&rig.journal(), "8m") else {
        eprintln!("not root here: no small file system can be mounted");
        return;
    };
    leave(&rig.journal(), 8 << 10, 1536);
    rig.begin();
    let told = || {
        rig.ready()
            .is_some_and(|it| it.status == 503 && it.text.contains("too little room"))
    };
    assert!(wait(told), "{:?} {}", rig.ready(), rig.log());
    std::fs::remove_file(rig.journal().join("filler")).expect("removed");
    assert!(wait(|| rig.ready().is_some_and(|it| it.status == 200)));
    rig.enter();
    assert_eq!(rig.get("/after").expect("an answer").status, 200);
    rig.stop();
    rig.verified();
}

#[test]
fn recordings_stop_before_their_disk_is_full() {
    let mut rig = Rig::new(&format!(
        "recording.min_free = {MARKS}\nrecording.ordinary = {{ record = 'bodies', on_overrun = 'fail' }}"
    ));
    let tapes = rig.dir().join("var/recordings");
    let Some(_small) = Small::mount(&tapes, "8m") else {
        eprintln!("not root here: no small file system can be mounted");
        return;
    };
    rig.start();
    rig.enter();
    assert_eq!(rig.get("/before").expect("an answer").status, 200);
    leave(&tapes, 8 << 10, 1536);
    assert!(wait(|| rig.get("/out").is_some_and(|it| it.status == 503)));
    let reached = rig.app.reached();
    assert_eq!(rig.get("/out").expect("an answer").status, 503);
    assert_eq!(
        rig.app.reached(),
        reached,
        "what must be recorded is not forwarded"
    );
    assert_eq!(rig.metric("locum_recording_room_out "), Some(1));
    // The journal has its own disk: it records the refusals.
    assert_eq!(rig.ready().expect("an answer").status, 200);
    std::fs::remove_file(tapes.join("filler")).expect("removed");
    assert!(wait(|| rig
        .get("/after")
        .is_some_and(|it| it.status == 200)));
    rig.stop();
    rig.verified();
    assert_eq!(stands(&rig, "recordings"), ["out", "enough"]);
}
