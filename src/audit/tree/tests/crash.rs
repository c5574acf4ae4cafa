//! Whatever a crash leaves of the log's files, a restart goes on with the same tree.

use super::fixture::{files, key, logged, restore, run, start, verified};
use crate::audit::tests::fixture::Support;
use std::fs;

#[test]
fn any_file_of_the_log_cut_at_any_byte_or_gone_is_made_whole_by_a_restart() {
    let good = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(good.path(), &key), 3);
    run(logged(good.path(), &key), 3);
    let all = files(good.path());
    // A debug build takes some cuts of each file, a release build every one.
    let step = if cfg!(debug_assertions) { 61 } else { 1 };
    let mut tried = 0;
    for (name, bytes) in all.iter().filter(|(name, _)| name.starts_with("tlog")) {
        let cuts = (0..bytes.len()).step_by(step).map(Some);
        for cut in cuts.chain([None]) {
            let dir = tempfile::tempdir().expect("dir");
            restore(dir.path(), &all);
            let path = dir.path().join(name);
            match cut {
                Some(end) => fs::write(&path, &bytes[..end]).expect("cut"),
                None => fs::remove_file(&path).expect("remove"),
            }
            run(logged(dir.path(), &key), 2);
            let report = verified(dir.path(), &key);
            let at = name.display();
            // What was published before is history: a crash never tears it, so a cut there stays to be seen.
            let is_history = name.ends_with("checkpoints");
            assert!(report.is_intact() || is_history, "{at} {cut:?}: {report}");
            let tree = report.tree.expect("tree");
            assert_eq!(tree.published, report.records, "{at} {cut:?}");
            tried += 1;
        }
    }
    println!("{tried} cuts");
}

#[test]
fn a_log_begun_later_takes_in_all_records_and_a_damaged_tile_is_made_anew() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    let mut without = logged(dir.path(), &key);
    without.log = None;
    run(without, 300);
    run(logged(dir.path(), &key), 1);
    assert!(verified(dir.path(), &key).is_intact());
    for (name, bytes) in files(dir.path()) {
        if name.starts_with("tlog/tile") {
            fs::write(dir.path().join(&name), &bytes[1..]).expect("damage");
        }
    }
    assert!(!verified(dir.path(), &key).is_intact());
    run(logged(dir.path(), &key), 1);
    let report = verified(dir.path(), &key);
    assert!(report.is_intact(), "{report}");
}

#[test]
fn a_death_without_a_stop_leaves_records_for_the_next_checkpoint() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 3);
    for _ in 0..3 {
        let journal = start(logged(dir.path(), &key));
        let support = Support::new();
        (0..20).for_each(|_| support.exchange(&journal));
        drop(journal);
        let report = verified(dir.path(), &key);
        assert!(report.is_intact(), "{report}");
    }
    run(logged(dir.path(), &key), 1);
    let report = verified(dir.path(), &key);
    assert!(report.is_intact() && report.notes.is_empty(), "{report}");
}

#[test]
fn records_that_do_not_give_the_signed_root_are_never_signed() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 3);
    let before = fs::read(dir.path().join("tlog/checkpoint")).expect("read");
    // Another journal's records, just as many and more, under this log.
    let other = tempfile::tempdir().expect("dir");
    run(logged(other.path(), &key), 9);
    let segment = crate::audit::segment::path(other.path(), 1);
    fs::copy(segment, crate::audit::segment::path(dir.path(), 1)).expect("copy");
    fs::remove_dir_all(dir.path().join("tlog/tile")).expect("tiles");
    let journal = start(logged(dir.path(), &key));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let forked = &journal.log().forked;
    while !forked.load(std::sync::atomic::Ordering::Relaxed) {
        assert!(std::time::Instant::now() < deadline, "{:?}", journal.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    journal.stop("test");
    let after = fs::read(dir.path().join("tlog/checkpoint")).expect("read");
    assert_eq!(before, after);
}
