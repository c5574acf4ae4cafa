//! Proofs, good and bad of each kind, before both verifiers: ours, which uses the crates, and `docs/verify.py`, which does not.

use super::fixture::{ORIGIN, key, keys, logged, records, run, verified};
use crate::audit::tree::{Consistency, Inclusion, LogKey, Proofs, Signed};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Whether `docs/verify.py` takes it; `None` where there is no Python.
fn python(dir: &Path, what: &str, proof: &[u8], about: &[u8], key: &str) -> Option<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify.py");
    fs::write(dir.join("proof"), proof).expect("write");
    fs::write(dir.join("about"), about).expect("write");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .arg(what)
        .arg(dir.join("proof"))
        .arg(dir.join("about"))
        .args(["--vkey", key]);
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // A refusal is a sentence, not a crash.
    assert!(
        output.status.success() || said.starts_with("NOT GOOD"),
        "{said}"
    );
    Some(output.status.success())
}

fn both(dir: &Path, kind: &str, what: &str, proof: &[u8], about: &[u8], key: &str, good: bool) {
    let keys = crate::audit::tree::VerifierKeys::parse(&[key.to_owned()]).expect("key");
    let ours = match what {
        "inclusion" => Inclusion::parse(proof).and_then(|proof| proof.check_record(about, &keys)),
        _ => Consistency::parse(proof).and_then(|proof| proof.check(&Signed::parse(about)?, &keys)),
    };
    assert_eq!(ours.is_ok(), good, "{what}, {kind}: {ours:?}");
    if let Some(theirs) = python(dir, what, proof, about, key) {
        assert_eq!(theirs, good, "{what}, {kind}, by docs/verify.py");
    }
}

/// The proof with one of its hash lines changed by `change`.
fn with_hashes(proof: &str, change: impl Fn(&mut Vec<String>)) -> String {
    let (head, rest) = proof.split_once("\n\n").expect("an empty line");
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    change(&mut lines);
    format!("{}\n\n{rest}", lines.join("\n"))
}

fn other_hash(line: &mut String) {
    let first = if line.starts_with('A') { "B" } else { "A" };
    line.replace_range(..1, first);
}

/// What can be wrong with any proof, by name.
fn spoiled(proof: &str, numbered_at: usize, other: &LogKey) -> Vec<(&'static str, String)> {
    let first = numbered_at + 1;
    let note = proof.split_once("\n\n").expect("note").1;
    let signed = Signed::parse(note.as_bytes()).expect("note");
    let origin = format!("{ORIGIN}\n{}\n", signed.size);
    let signature = note.rfind(' ').expect("signature") + 10;
    let mut altered = note.to_owned();
    let letter = if &altered[signature..=signature] == "A" {
        "B"
    } else {
        "A"
    };
    altered.replace_range(signature..=signature, letter);
    let by_other = Signed::sign(
        ORIGIN,
        signed.size,
        signed.root,
        std::slice::from_ref(other),
    )
    .expect("signed");
    let by_other = String::from_utf8(by_other.bytes()).expect("text");
    vec![
        (
            "wrong sibling",
            with_hashes(proof, |lines| other_hash(&mut lines[first])),
        ),
        (
            "swapped siblings",
            with_hashes(proof, |lines| lines.swap(first, first + 1)),
        ),
        (
            "truncated path",
            with_hashes(proof, |lines| drop(lines.pop())),
        ),
        (
            "path too long",
            with_hashes(proof, |lines| lines.push(lines[first].clone())),
        ),
        (
            "short hash",
            with_hashes(proof, |lines| lines[first] = "AAAA".into()),
        ),
        (
            "wrong size",
            proof.replace(&origin, &format!("{ORIGIN}\n{}\n", signed.size + 1)),
        ),
        (
            "wrong origin",
            proof.replace(&origin, &format!("other.example/log\n{}\n", signed.size)),
        ),
        ("altered signature", proof.replace(note, &altered)),
        ("another key's signature", proof.replace(note, &by_other)),
        (
            "no signature",
            proof[..proof.rfind("\n— ").expect("signature")].to_owned(),
        ),
        ("nothing", String::new()),
    ]
}

#[test]
fn a_bad_proof_of_each_kind_is_refused_by_both_verifiers() {
    let dir = tempfile::tempdir().expect("dir");
    let [key, other] = [key(), key()];
    run(logged(dir.path(), &key), 60);
    let older = fs::read(dir.path().join("tlog/checkpoint")).expect("checkpoint");
    run(logged(dir.path(), &key), 81);
    let lines = records(dir.path());
    let proofs = Proofs::of_all(dir.path()).expect("proofs");
    let vkey = key.verifier_key();
    let at = dir.path();
    let good = |kind: &str, what: &str, proof: &[u8], about: &[u8], vkey: &str| {
        both(at, kind, what, proof, about, vkey, true);
    };
    let bad = |kind: &str, what: &str, proof: &[u8], about: &[u8], vkey: &str| {
        both(at, kind, what, proof, about, vkey, false);
    };

    for seq in [1, 17, 128, 129, 283] {
        let proof = proofs.inclusion(seq).expect("proof").text();
        let line = &lines[usize::try_from(seq).expect("small") - 1];
        good("good", "inclusion", proof.as_bytes(), line, &vkey);
    }
    let proof = proofs.inclusion(17).expect("proof").text();
    let line = &lines[16];
    for (kind, spoilt) in spoiled(&proof, 1, &other) {
        bad(kind, "inclusion", spoilt.as_bytes(), line, &vkey);
    }
    let moved = proof.replace("index 16\n", "index 17\n");
    bad("wrong index", "inclusion", moved.as_bytes(), line, &vkey);
    bad(
        "wrong leaf",
        "inclusion",
        proof.as_bytes(),
        &lines[17],
        &vkey,
    );
    let mut changed = line.clone();
    changed[12] ^= 1;
    bad(
        "changed record",
        "inclusion",
        proof.as_bytes(),
        &changed,
        &vkey,
    );
    bad(
        "wrong key",
        "inclusion",
        proof.as_bytes(),
        line,
        &other.verifier_key(),
    );
    bad_consistency(at, &proofs, &older, &key, &other);
}

fn bad_consistency(at: &Path, proofs: &Proofs, older: &[u8], key: &LogKey, other: &LogKey) {
    let vkey = key.verifier_key();
    let bad = |kind: &str, proof: &[u8], about: &[u8], vkey: &str| {
        both(at, kind, "consistency", proof, about, vkey, false);
    };
    let from = Signed::parse(older).expect("note").size;
    let (proof, _) = proofs.consistency(from).expect("proof");
    let text = proof.text();
    both(
        at,
        "good",
        "consistency",
        text.as_bytes(),
        older,
        &vkey,
        true,
    );
    for (kind, spoilt) in spoiled(&text, 0, other) {
        bad(kind, spoilt.as_bytes(), older, &vkey);
    }
    let newer = proofs.checkpoint();
    let swapped = Signed::sign(ORIGIN, from, newer.root, std::slice::from_ref(key))
        .expect("signed")
        .bytes();
    bad("swapped roots", text.as_bytes(), &swapped, &vkey);
    let root = tlog_tiles::record_hash(b"x");
    let forked = Signed::sign(ORIGIN, from, root, std::slice::from_ref(key));
    let forked = forked.expect("signed").bytes();
    bad("fork", text.as_bytes(), &forked, &vkey);
    let backwards = format!("old {}\n\n{}", newer.size, String::from_utf8_lossy(older));
    bad("backwards", backwards.as_bytes(), &newer.bytes(), &vkey);
    bad("wrong key", text.as_bytes(), older, &other.verifier_key());
}

#[test]
fn a_saved_checkpoint_shows_a_fork_and_a_cut_to_both_verifiers() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 10);
    let saved = dir.path().join("saved");
    fs::copy(dir.path().join("tlog/checkpoint"), &saved).expect("copy");
    run(logged(dir.path(), &key), 10);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify.py");
    let verdicts = |journal: &Path| {
        let options = crate::audit::verify::Options {
            keys: keys(&[&key]),
            saved: vec![crate::audit::tree::Saved {
                name: "saved".into(),
                note: fs::read(&saved).expect("read"),
            }],
            ..Default::default()
        };
        let report = crate::audit::verify(journal, &options).expect("report");
        let python = Command::new("python3")
            .arg(&script)
            .arg("journal")
            .arg(journal)
            .arg("--saved")
            .arg(&saved)
            .output();
        (report, python.ok().map(|python| python.status.success()))
    };
    let (report, python) = verdicts(dir.path());
    assert!(report.is_intact() && python != Some(false), "{report}");
    // Begun at the saved checkpoint: the records after it alone.
    let from = crate::audit::tree::Saved {
        name: "saved".into(),
        note: fs::read(&saved).expect("read"),
    };
    let begun = crate::audit::verify::Options {
        keys: keys(&[&key]),
        saved: vec![from.clone()],
        from: Some(from),
        ..Default::default()
    };
    let report = crate::audit::verify(dir.path(), &begun).expect("report");
    assert!(report.is_intact() && report.notes.len() == 1, "{report}");
    // Another history by the holder of the same key.
    let forked = tempfile::tempdir().expect("dir");
    run(logged(forked.path(), &key), 20);
    let (report, python) = verdicts(forked.path());
    let resumed = crate::audit::verify(forked.path(), &begun).expect("report");
    assert!(!resumed.is_intact(), "{resumed}");
    let is_fork =
        |found: &crate::audit::Break| matches!(found.fault, crate::audit::Fault::Forked { .. });
    assert!(
        report.breaks.iter().any(is_fork) && python != Some(true),
        "{report}"
    );
    // A shorter history by the holder of the same key.
    let short = tempfile::tempdir().expect("dir");
    run(logged(short.path(), &key), 2);
    let (report, python) = verdicts(short.path());
    let is_cut =
        |found: &crate::audit::Break| matches!(found.fault, crate::audit::Fault::Truncated { .. });
    assert!(
        report.breaks.iter().any(is_cut) && python != Some(true),
        "{report}"
    );
}

#[test]
fn a_death_between_the_files_of_the_first_checkpoint_is_no_fault_to_either_verifier() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    run(logged(dir.path(), &key), 10);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify.py");
    let verdicts = || {
        let report = verified(dir.path(), &key);
        let python = Command::new("python3")
            .arg(&script)
            .arg("journal")
            .arg(dir.path())
            .args(["--vkey", &key.verifier_key()])
            .output();
        (report, python.ok().map(|python| python.status.success()))
    };
    let tenant = dir.path().join("tlog/tenants/acme");
    for log in [&tenant, &dir.path().join("tlog")] {
        let all = fs::read(log.join("checkpoints")).expect("checkpoints");
        // The end of the first text, and of its note.
        let mut ends = memchr::memmem::find_iter(&all, b"\n\n");
        let first = ends.nth(1).expect("a note") + 2;
        let last = fs::read(log.join("checkpoint")).expect("checkpoint");
        fs::remove_file(log.join("checkpoint")).expect("removed");
        fs::write(
            log.join("checkpoints"),
            [&all[..first], &last, b"\n"].concat(),
        )
        .expect("two");
        let (report, python) = verdicts();
        assert!(!report.is_intact() && python != Some(true), "two: {report}");
        fs::write(log.join("checkpoints"), &all[..first]).expect("one");
        let (report, python) = verdicts();
        assert!(report.is_intact() && python != Some(false), "one: {report}");
    }
    // And the next start goes on from there.
    run(logged(dir.path(), &key), 1);
    let (report, python) = verdicts();
    assert!(report.is_intact() && python != Some(false), "{report}");
    assert_eq!(report.tree.expect("tree").published, report.records);
}
