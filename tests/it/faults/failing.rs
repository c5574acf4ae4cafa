//! Disks that refuse writes and syncs, take parts of them, or take their time, under load: Locum refuses and says why, or goes
//! on, as configured; nothing is lost, the order is kept, and it goes on by itself when the disk does.

use super::disk::{NO_MARKS, Small, fill};
use super::load::{Account, Load};
use super::rig::{Rig, wait};
use super::shim::{EIO, EROFS, Place, Shim};

const CLIENTS: usize = 32;
/// How many answers show that requests go through.
const ENOUGH: usize = 200;
/// What Locum may grow by while a slow disk makes 232 clients wait, with what its own threads read meanwhile. KiB.
const GROWN: u64 = 40 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Refuses,
    GoesOn,
}

fn rig(durability: &str) -> Rig {
    let mut rig = Rig::new(&format!("audit.durability = '{durability}'"));
    rig.shim = Some(Shim::new(rig.dir()));
    rig.start();
    rig.enter();
    rig
}

fn shim(rig: &Rig) -> &Shim {
    rig.shim.as_ref().expect("it has one")
}

/// The fault begins under load and ends again; what became of every request is counted, checked and printed.
fn under_load(
    rig: &mut Rig,
    what: &str,
    expected: Expected,
    fault: impl FnOnce(&Rig),
    mended: impl FnOnce(&Rig),
) -> Account {
    let load = Load::start(rig, "load", CLIENTS);
    let more = |than: usize| wait(|| load.answered() >= than + ENOUGH);
    assert!(more(0), "{what}: {}", rig.log());
    fault(rig);
    match expected {
        Expected::Refuses => {
            assert!(wait(|| load.refused() >= ENOUGH), "{what}: not refused");
            let ready = rig.ready().expect("an answer");
            assert_eq!(ready.status, 503, "{what}: {}", ready.text);
            assert!(ready.text.contains("the journal cannot"), "{}", ready.text);
            rig.verified();
        }
        Expected::GoesOn => assert!(more(load.answered()), "{what}: {}", rig.log()),
    }
    mended(rig);
    assert!(more(load.answered()), "{what}: it does not go on by itself");
    let sent = load.stop();
    rig.stop();
    let report = rig.verified();
    assert_eq!(report["report"]["open_exchanges"], 0, "{report:#}");
    let account = Account::of(rig, "load", &sent);
    assert_eq!(account.opened, account.ended, "{what}: {account}");
    assert_eq!(account.broke, 0, "{what}: {account}");
    let restored = rig.records("journal.restored");
    assert_eq!(restored.is_empty(), expected == Expected::GoesOn, "{what}");
    assert_eq!(account.refused > 0, expected == Expected::Refuses, "{what}");
    let sum = |name: &str| -> u64 {
        let each = restored.iter().map(|it| it["locum"][name].as_u64());
        each.map(|it| it.expect("a number")).sum()
    };
    assert_eq!(sum("lost"), 0, "{what}");
    println!(
        "{what}: {account}; {} outages on record, of {} refusals and {} queued records, 0 lost; verified",
        restored.len(),
        sum("refused"),
        sum("queued")
    );
    account
}

#[test]
fn errors_on_write() {
    for (durability, error, name) in [
        ("process", EIO, "EIO"),
        ("disk", EIO, "EIO"),
        ("process", EROFS, "EROFS"),
    ] {
        let mut rig = rig(durability);
        under_load(
            &mut rig,
            &format!("{name} on every write, durability {durability}"),
            Expected::Refuses,
            |rig| shim(rig).set(Place::WriteError, error),
            |rig| {
                assert!(shim(rig).get(Place::FailedWrites) > 0);
                shim(rig).set(Place::WriteError, 0);
            },
        );
    }
}

#[test]
fn errors_on_sync() {
    let mut disk = rig("disk");
    under_load(
        &mut disk,
        "EIO on every fdatasync, durability disk",
        Expected::Refuses,
        |rig| shim(rig).set(Place::SyncError, EIO),
        |rig| {
            assert!(shim(rig).get(Place::FailedSyncs) > 0);
            shim(rig).set(Place::SyncError, 0);
        },
    );
    assert!(
        disk.segments().len() > 1,
        "the poisoned segment was written on"
    );
    let sealed = disk.records("segment.sealed");
    // The last one too, by the stop.
    assert!(sealed.len() + 1 >= disk.segments().len());
    let mut process = rig("process");
    under_load(
        &mut process,
        "EIO on every fdatasync, durability process",
        Expected::GoesOn,
        |rig| shim(rig).set(Place::SyncError, EIO),
        |rig| shim(rig).set(Place::SyncError, 0),
    );
}

#[test]
fn what_a_failed_sync_left_unsigned_is_signed_once_syncs_work() {
    let mut rig = Rig::new("audit.log.interval = '100ms'\naudit.segment_bytes = '64KiB'");
    rig.shim = Some(Shim::new(rig.dir()));
    rig.start();
    rig.enter();
    let gauge = |rig: &Rig, name: &str| rig.metric(name).expect("a gauge");
    let load = |rig: &Rig| {
        for n in 0..60 {
            assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
        }
    };
    load(&rig);
    assert!(wait(|| gauge(&rig, "locum_log_lag ") == 0), "{}", rig.log());
    shim(&rig).set(Place::SyncError, EIO);
    load(&rig);
    assert!(wait(|| shim(&rig).get(Place::FailedSyncs) > 2));
    load(&rig);
    // An opening and a closing each.
    assert!(
        wait(|| gauge(&rig, "locum_log_lag ") >= 240),
        "signed, though it may be lost"
    );
    let lag = gauge(&rig, "locum_log_lag ");
    shim(&rig).set(Place::SyncError, 0);
    let all = || gauge(&rig, "locum_log_lag ") == 0;
    assert!(wait(all), "nothing is signed any more: {}", rig.log());
    println!(
        "durability process: {lag} records unsigned while {} syncs failed; {} signed after, without a restart",
        shim(&rig).get(Place::FailedSyncs),
        gauge(&rig, "locum_log_size ")
    );
    rig.stop();
    rig.verified();
}

#[test]
fn short_writes() {
    for durability in ["process", "disk"] {
        let mut rig = rig(durability);
        let what = format!("every write cut short, durability {durability}");
        under_load(
            &mut rig,
            &what,
            Expected::GoesOn,
            |rig| shim(rig).set(Place::ShortWrites, 1),
            |rig| {
                println!("{} writes were cut short", shim(rig).get(Place::CutWrites));
                shim(rig).set(Place::ShortWrites, 0);
            },
        );
    }
}

#[test]
fn slow_syncs_slow_requests_and_hold_no_memory() {
    let mut rig = rig("disk");
    let mut grown = 0;
    under_load(
        &mut rig,
        "100 ms more for every fdatasync, durability disk",
        Expected::GoesOn,
        |rig| {
            let before = rig.memory("VmRSS");
            shim(rig).set(Place::SyncDelayMillis, 100);
            let load = Load::start(rig, "waiting", 200);
            assert!(wait(|| load.answered() >= 5 * ENOUGH));
            grown = rig.memory("VmHWM").saturating_sub(before);
            println!(
                "200 more clients, {} syncs of 100 ms: {} answers; resident set {before} KiB before, {grown} KiB more at its peak",
                shim(rig).get(Place::SlowSyncs),
                load.answered()
            );
            load.stop();
        },
        |rig| shim(rig).set(Place::SyncDelayMillis, 0),
    );
    assert!(grown < GROWN, "{grown} KiB more for waiting");
}

#[test]
fn full_file_system_under_load() {
    for durability in ["process", "disk"] {
        let mut rig = Rig::new(&format!("audit.durability = '{durability}'\n{NO_MARKS}"));
        let what = format!("ENOSPC, a tmpfs of 4 MiB, durability {durability}");
        let Some(_small) = Small::mount(&rig.journal(), "4m") else {
            println!(
                "{what}: this user may not mount; disk::full_by_limit does it with a limit on file size"
            );
            return;
        };
        rig.start();
        rig.enter();
        let filler = rig.journal().join("filler");
        under_load(
            &mut rig,
            &what,
            Expected::Refuses,
            |_| fill(&filler),
            |_| std::fs::remove_file(&filler).expect("removed"),
        );
    }
}
