//! A package is sound; changed in any way, it is not, and the verdict says where.

use super::Fixture;
use crate::audit::export::digest::sha256;
use crate::audit::export::{Verdict, verify};
use crate::audit::tree::LogKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

type Files = BTreeMap<String, Vec<u8>>;

fn read(path: &Path) -> Files {
    let mut zip = ZipArchive::new(File::open(path).expect("a file")).expect("a zip");
    (0..zip.len())
        .map(|at| {
            let mut file = zip.by_index(at).expect("a member");
            let name = file.name().expect("a name").to_string();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).expect("its bytes");
            (name, bytes)
        })
        .collect()
}

fn write(path: &Path, files: &Files) -> PathBuf {
    let path = path.with_file_name("changed.zip");
    let mut zip = ZipWriter::new(File::create(&path).expect("a file"));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default();
        zip.start_file(name.as_str(), options).expect("a member");
        zip.write_all(bytes).expect("its bytes");
    }
    zip.finish().expect("a zip");
    path
}

/// Somebody without the log's key, who knows the format: digests and lists fit again.
fn forge(files: &mut Files, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
    for listed in manifest["files"].as_array_mut().expect("files") {
        let bytes = &files[listed["name"].as_str().expect("a name")];
        listed["bytes"] = bytes.len().into();
        listed["sha256"] = sha256(bytes).into();
    }
    change(&mut manifest);
    let text = serde_json::to_vec_pretty(&manifest).expect("JSON");
    files.insert("manifest.json".into(), text);
}

fn check(fixture: &Fixture, change: impl FnOnce(&mut Files)) -> Verdict {
    let path = fixture.package();
    let mut files = read(&path);
    change(&mut files);
    verify(&write(&path, &files), Some(&fixture.keys())).expect("a verdict")
}

#[track_caller]
fn says(verdict: &Verdict, file: &str, words: &str) {
    let told = verdict
        .flaws
        .iter()
        .any(|it| it.file == file && it.to_string().contains(words));
    assert!(told, "{file}: {words:?} in {verdict}");
}

fn lines(files: &Files, name: &str) -> Vec<String> {
    let text = String::from_utf8(files[name].clone()).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn put(files: &mut Files, name: &str, lines: &[String]) {
    files.insert(name.into(), format!("{}\n", lines.join("\n")).into_bytes());
}

#[test]
fn what_nobody_touched_is_sound() {
    let fixture = Fixture::new();
    let verdict = verify(&fixture.package(), Some(&fixture.keys())).expect("a verdict");
    assert!(verdict.is_sound(), "{verdict}");
    assert_eq!(verdict.records, verdict.proved);
    assert!(verdict.bodies >= 8, "{verdict}");
    let without = verify(&fixture.package(), None).expect("a verdict");
    assert!(without.is_sound());
    assert!(
        without
            .notes
            .iter()
            .any(|it| it.contains("no key was given")),
        "{without}"
    );
    let page = String::from_utf8(read(&fixture.package())["index.html"].clone()).expect("text");
    assert!(!page.contains("<script>"), "{page}");
    assert!(
        page.contains("/orders/1/notes") && page.contains("pack.export"),
        "{page}"
    );
}

#[test]
fn a_changed_file_a_missing_file_and_one_too_many() {
    let fixture = Fixture::new();
    let verdict = check(&fixture, |files| {
        files.get_mut("index.html").expect("it").push(b'!');
    });
    says(&verdict, "index.html", "changed");
    let verdict = check(&fixture, |files| drop(files.remove("grant.json")));
    says(&verdict, "grant.json", "missing");
    let verdict = check(&fixture, |files| {
        drop(files.insert("extra".into(), vec![1]));
    });
    says(&verdict, "extra", "not in the manifest");
    let verdict = check(&fixture, |files| drop(files.remove("manifest.json")));
    says(&verdict, "manifest.json", "missing");
}

#[test]
fn a_changed_record_is_named_whoever_mends_the_digests() {
    let fixture = Fixture::new();
    let verdict = check(&fixture, |files| {
        let mut records = lines(files, "records.jsonl");
        records[3] = records[3].replace("\"done\"", "\"gone\"");
        put(files, "records.jsonl", &records);
        forge(files, |_| {});
    });
    says(
        &verdict,
        "records.jsonl",
        "line 4, record 5: it was changed",
    );
    says(&verdict, "manifest.note", "");
}

#[test]
fn a_missing_record_is_named() {
    let fixture = Fixture::new();
    let cut = |files: &mut Files| {
        let mut records = lines(files, "records.jsonl");
        records.remove(3);
        put(files, "records.jsonl", &records);
    };
    let verdict = check(&fixture, |files| {
        cut(files);
        forge(files, |_| {});
    });
    says(&verdict, "records.jsonl", "record 5: it is missing");
    // Even where the manifest is made to know nothing of it: the exchange has no close, its proof no record, and the manifest
    // no signature.
    let verdict = check(&fixture, |files| {
        cut(files);
        forge(files, |manifest| {
            let records = manifest["records"].as_array_mut().expect("records");
            records.retain(|seq| *seq != json!(5));
        });
    });
    says(&verdict, "records.jsonl", "its closing record is missing");
    says(
        &verdict,
        "proofs/inclusion.jsonl",
        "record 5: there is no such record",
    );
    says(&verdict, "manifest.note", "");
}

#[test]
fn a_proof_that_fails_and_one_that_is_missing() {
    let fixture = Fixture::new();
    let verdict = check(&fixture, |files| {
        let mut proofs = lines(files, "proofs/inclusion.jsonl");
        let mut proof: Value = serde_json::from_str(&proofs[2]).expect("JSON");
        proof["path"][0] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
        proofs[2] = proof.to_string();
        proofs.remove(0);
        put(files, "proofs/inclusion.jsonl", &proofs);
        forge(files, |_| {});
    });
    says(
        &verdict,
        "proofs/inclusion.jsonl",
        "record 4: the proof fails",
    );
    says(
        &verdict,
        "proofs/inclusion.jsonl",
        "record 1: no proof of it holds",
    );
}

#[test]
fn a_checkpoint_of_another_key_or_another_tree() {
    let fixture = Fixture::new();
    let other = LogKey::generate(super::ORIGIN).expect("a key");
    let text = |files: &Files| {
        let note = String::from_utf8(files["proofs/checkpoint"].clone()).expect("text");
        let (text, _) = note.split_once("\n\n").expect("a note");
        format!("{text}\n")
    };
    let verdict = check(&fixture, |files| {
        let note = LogKey::sign_text(&[other], &text(files)).expect("a note");
        files.insert("proofs/checkpoint".into(), note);
        forge(files, |_| {});
    });
    says(
        &verdict,
        "proofs/checkpoint",
        "no key that was given has signed it",
    );
    let verdict = check(&fixture, |files| {
        let note = String::from_utf8(files["proofs/checkpoint"].clone()).expect("text");
        let grown = note.replacen("\n15\n", "\n16\n", 1);
        assert_ne!(note, grown, "{note}");
        files.insert("proofs/checkpoint".into(), grown.into_bytes());
        forge(files, |_| {});
    });
    says(
        &verdict,
        "proofs/checkpoint",
        "a signature on it does not fit",
    );
}

#[test]
fn a_recorded_body_that_is_not_the_one_in_the_record() {
    let fixture = Fixture::new();
    let verdict = check(&fixture, |files| {
        let warc = files.get_mut("recording/session.warc.gz").expect("it");
        *warc = forged_warc(warc);
        forge(files, |_| {});
    });
    let place = format!(
        "exchange {} (POST /orders/1/notes), request body",
        fixture.noted
    );
    says(&verdict, "recording/session.warc.gz", &place);
    assert!(
        !verdict.to_string().contains(&fixture.home.to_string()),
        "{verdict}"
    );
}

/// The note's text another one, with all digests in the WARC made to fit.
fn forged_warc(warc: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(warc);
    reader.read_to_end(&mut text).expect("gzip");
    let replace = |text: &[u8], from: &[u8], to: &[u8]| {
        let at = memchr::memmem::find(text, from).expect("it is there");
        [&text[..at], to, &text[at + from.len()..]].concat()
    };
    let (old, new): (&[u8], &[u8]) = (super::NOTE, b"text=Never+send&csrf=x");
    let whole =
        b"POST /orders/1/notes HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n";
    let digest = |body: &[u8]| sha256(&[whole, body].concat()).into_bytes();
    text = replace(&text, &digest(old), &digest(new));
    text = replace(&text, sha256(old).as_bytes(), sha256(new).as_bytes());
    text = replace(&text, old, new);
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(&text).expect("in memory");
    out.finish().expect("in memory")
}
