//! The trees that a journal makes, with everything that is said of them.

use super::fixture::{ORIGIN, key, keys, logged, records, run, start, verified};
use crate::audit::tests::fixture::{Support, small_segments};
use crate::audit::tree::{LogSettings, Proofs, Signed};
use crate::audit::{Settings, StartError};
use crate::model::Clock;
use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[test]
fn a_stop_signs_every_record_and_the_verifier_makes_the_same_trees() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    for round in 1..=3 {
        run(logged(dir.path(), &key), 150);
        let report = verified(dir.path(), &key);
        assert!(report.is_intact(), "{round}: {report}");
        let tree = report.tree.clone().expect("a tree");
        assert_eq!(
            (tree.size, tree.published),
            (report.records, report.records),
            "{report}"
        );
        assert_eq!(tree.tenants, 1);
        assert_eq!(report.notes, Vec::<String>::new());
    }
}

#[test]
fn what_was_told_is_not_read_again_and_what_does_not_fit_is() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    // The first record of each run is written before anybody listens.
    for (queue, read) in [(1_000, 1..=1), (5, 200..=401), (1, 350..=401)] {
        let mut settings = logged(dir.path(), &key);
        settings.log.as_mut().expect("a log").queue = queue;
        let journal = start(settings);
        let support = Support::new();
        (0..200).for_each(|_| support.exchange(&journal));
        journal.stop("test");
        let seen = journal.log().read.load(Ordering::Relaxed);
        assert!(read.contains(&seen), "{queue}: {seen}");
        let report = verified(dir.path(), &key);
        assert!(report.is_intact(), "{queue}: {report}");
        assert_eq!(report.tree.expect("a tree").published, report.records);
    }
}

#[test]
fn checkpoints_come_by_time_and_by_count() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    let by = |interval, count| Settings {
        log: Some(LogSettings {
            interval,
            count,
            ..LogSettings::new(vec![key.clone()])
        }),
        ..small_segments(dir.path())
    };
    let hour = Duration::from_secs(3600);
    for settings in [by(Duration::from_millis(20), 1_000_000), by(hour, 10)] {
        let journal = start(settings);
        let support = Support::new();
        let before = journal.log().checkpoints.load(Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(20);
        while journal.log().checkpoints.load(Ordering::Relaxed) < before + 5 {
            (0..5).for_each(|_| support.exchange(&journal));
            assert!(Instant::now() < deadline, "{:?}", journal.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        journal.stop("test");
        let lag = journal.log().lag.load(Ordering::Relaxed);
        assert_eq!(lag, 0, "{:?}", journal.log());
    }
    let report = verified(dir.path(), &key);
    assert!(report.is_intact(), "{report}");
    assert!(report.tree.expect("tree").checkpoints > 10);
}

#[test]
fn each_record_is_proved_in_the_whole_tree_and_in_its_tenant_s() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 140);
    let whole = Proofs::of_all(dir.path()).expect("proofs");
    let tenant = Proofs::of_tenant(dir.path(), "acme").expect("proofs");
    assert_eq!(whole.checkpoint().origin, ORIGIN);
    let mut of_tenant = 0;
    for (line, seq) in records(dir.path()).iter().zip(1..) {
        let proof = whole.inclusion(seq).expect("proof");
        let again = crate::audit::tree::Inclusion::parse(proof.text().as_bytes()).expect("text");
        again
            .check_record(line, &keys(&[&key]))
            .expect("it is in the log");
        let mentions = String::from_utf8_lossy(line).contains("\"tenant\":{\"uid\":\"acme\"");
        assert_eq!(
            tenant.index_of(seq).expect("read").is_some(),
            mentions,
            "{seq}"
        );
        if mentions {
            of_tenant += 1;
            let proof = tenant.inclusion(seq).expect("proof");
            let keys = keys(&[&key]).of_tenant("acme");
            proof
                .check_record(line, &keys)
                .expect("it is in the tenant's log");
            assert!(proof.check_record(line, &self::keys(&[&key])).is_err());
        }
    }
    assert_eq!(tenant.checkpoint().size, of_tenant);
    assert!(whole.inclusion(whole.checkpoint().size + 1).is_err() && whole.inclusion(0).is_err());
    for from in 0..=whole.checkpoint().size {
        whole.consistency(from).expect("a proof that checks itself");
    }
}

#[test]
fn keys_change_with_an_overlap() {
    let dir = tempfile::tempdir().expect("dir");
    let [old, new, other] = [key(), key(), key()];
    let mut both = logged(dir.path(), &old);
    run(both.clone(), 5);
    let saved = fs::read(dir.path().join("tlog/checkpoint")).expect("checkpoint");
    if let Some(log) = &mut both.log {
        log.keys.push(new.clone());
    }
    run(both, 5);
    let overlap = fs::read(dir.path().join("tlog/checkpoint")).expect("checkpoint");
    run(logged(dir.path(), &new), 5);
    let last = fs::read(dir.path().join("tlog/checkpoint")).expect("checkpoint");
    let trusts = |note: &[u8], key| {
        keys(&[key])
            .check(&Signed::parse(note).expect("note"))
            .is_ok()
    };
    assert_eq!([trusts(&saved, &old), trusts(&saved, &new)], [true, false]);
    assert_eq!(
        [trusts(&overlap, &old), trusts(&overlap, &new)],
        [true, true]
    );
    assert_eq!([trusts(&last, &old), trusts(&last, &new)], [false, true]);
    let proof = Proofs::of_all(dir.path()).expect("proofs");
    let older = Signed::parse(&saved).expect("note");
    let (proof, _) = proof.consistency(older.size).expect("proof");
    proof
        .check(&older, &keys(&[&old, &new]))
        .expect("it continues");
    assert!(proof.check(&older, &keys(&[&old, &other])).is_err());
    let options = crate::audit::verify::Options {
        keys: keys(&[&old, &new]),
        ..Default::default()
    };
    let report = crate::audit::verify(dir.path(), &options).expect("report");
    assert!(report.is_intact(), "{report}");
}

#[test]
fn a_journal_that_lost_signed_records_does_not_start() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 5);
    let all = records(dir.path());
    let path = crate::audit::segment::path(dir.path(), 1);
    fs::write(&path, all[..all.len() - 1].concat()).expect("cut");
    let refused = crate::audit::Journal::start(logged(dir.path(), &key), Clock::System);
    let why = refused.expect_err("refused");
    assert!(matches!(why, StartError::Broken { .. }), "{why}");
    fs::write(&path, all.concat()).expect("put back");
    run(logged(dir.path(), &key), 5);
    assert!(verified(dir.path(), &key).is_intact());
}

#[test]
fn two_names_and_another_log_s_name_are_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 1);
    let other = crate::audit::tree::LogKey::generate("other.example/log").expect("key");
    let why = crate::audit::Journal::start(logged(dir.path(), &other), Clock::System);
    let why = why.expect_err("refused").to_string();
    assert!(
        why.contains("audit.log.origin") && why.contains(ORIGIN),
        "{why}"
    );
    let mut two = logged(dir.path(), &key);
    if let Some(log) = &mut two.log {
        log.keys.push(other);
    }
    assert!(crate::audit::Journal::start(two, Clock::System).is_err());
}
