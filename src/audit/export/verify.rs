//! Checks a package with nothing else at hand but the log's verifier keys, and says what is wrong and where.
//!
//! What it cannot show without the keys from elsewhere: that the whole package was not made up. What it cannot show without a
//! signed manifest: that no record was left out whose absence no other record tells.

use super::digest::Tap;
use super::facts::Facts;
use super::manifest::{FORMAT, Manifest, name, note_text};
use super::proofs::Proof;
use super::verdict::Verdict;
use super::verify_warc;
use crate::audit::chain::Line;
use crate::audit::sink::Record;
use crate::audit::tail::Entry;
use crate::audit::tree::{Signed, VerifierKeys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use tlog_tiles::{Hash, check_record, record_hash};
use zip::ZipArchive;

/// The longest file that is read whole: manifest, notes, one line. Bytes.
const MAX_WHOLE: u64 = 64 << 20;

type Zip = ZipArchive<BufReader<File>>;

/// Checks it. Without `keys` the package's own are taken, and the verdict says so.
///
/// # Errors
/// Where the file cannot be read or is no zip at all.
pub fn verify(path: &Path, keys: Option<&VerifierKeys>) -> io::Result<Verdict> {
    let mut zip = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
    let mut verdict = Verdict::default();
    let Some((manifest, keys)) = manifest(&mut zip, keys, &mut verdict)? else {
        return Ok(verdict);
    };
    files(&mut zip, &manifest, &mut verdict);
    let records = records(&mut zip, &manifest, &mut verdict)?;
    let facts = Facts::of(&manifest.session, &records.entries);
    completeness(&facts, &records, &manifest, &mut verdict);
    let whole = Tree {
        checkpoint: name::CHECKPOINT,
        proofs: name::PROOFS,
        is_tenant: false,
    };
    whole.check(&mut zip, &manifest, &records, &keys, &mut verdict)?;
    let tenant = Tree {
        checkpoint: name::TENANT_CHECKPOINT,
        proofs: name::TENANT_PROOFS,
        is_tenant: true,
    };
    let tenant_keys = keys.of_tenant(&manifest.tenant);
    tenant.check(&mut zip, &manifest, &records, &tenant_keys, &mut verdict)?;
    match zip.by_name(name::WARC) {
        Ok(warc) => verify_warc::check(warc, &facts, &mut verdict),
        Err(_) if manifest.recording == "whole" => {
            verdict.flaw(name::WARC, "", "the recording is missing");
        }
        Err(_) => verdict.note(format!("no recording: {}", manifest.recording)),
    }
    Ok(verdict)
}

/// A small file whole; `None` where there is none.
fn whole(zip: &mut Zip, name: &str) -> io::Result<Option<Vec<u8>>> {
    let Ok(file) = zip.by_name(name) else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(MAX_WHOLE).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The manifest, once it is one, with the keys that notes are checked with.
fn manifest(
    zip: &mut Zip,
    keys: Option<&VerifierKeys>,
    verdict: &mut Verdict,
) -> io::Result<Option<(Manifest, VerifierKeys)>> {
    let Some(bytes) = whole(zip, name::MANIFEST)? else {
        verdict.flaw(name::MANIFEST, "", "it is missing: this is no package");
        return Ok(None);
    };
    let manifest = match serde_json::from_slice::<Manifest>(&bytes) {
        Ok(manifest) if manifest.format == FORMAT => manifest,
        Ok(other) => {
            let what = format!(
                "of the form {:?}, which this program does not read",
                other.format
            );
            verdict.flaw(name::MANIFEST, "", what);
            return Ok(None);
        }
        Err(why) => {
            verdict.flaw(name::MANIFEST, "", format!("not readable: {why}"));
            return Ok(None);
        }
    };
    verdict.session.clone_from(&manifest.session);
    let keys = if let Some(keys) = keys {
        keys.clone()
    } else {
        verdict.note("no key was given: signatures are checked with the keys that the package itself names, which proves only that it was not damaged");
        VerifierKeys::parse(&manifest.keys).unwrap_or_default()
    };
    match whole(zip, name::NOTE)? {
        None => {
            verdict.note("the manifest is not signed: nobody vouches that no record was left out");
        }
        Some(note) => {
            let text = note_text(&manifest.session, &bytes);
            if let Err(why) = keys.check_text(&note, &text) {
                verdict.flaw(name::NOTE, "", why);
            }
        }
    }
    Ok(Some((manifest, keys)))
}

/// Every file against the manifest, and no file beside it.
fn files(zip: &mut Zip, manifest: &Manifest, verdict: &mut Verdict) {
    for listed in &manifest.files {
        verdict.files += 1;
        let Ok(mut file) = zip.by_name(&listed.name) else {
            verdict.flaw(&listed.name, "", "it is missing");
            continue;
        };
        let mut tap = Tap::new(io::sink());
        if let Err(why) = io::copy(&mut file, &mut tap) {
            verdict.flaw(&listed.name, "", format!("not readable: {why}"));
            continue;
        }
        let (bytes, sha256) = tap.end();
        if (bytes, &sha256) != (listed.bytes, &listed.sha256) {
            let what = format!(
                "changed: {bytes} bytes with SHA-256 {sha256}, where the manifest has {} bytes with {}",
                listed.bytes, listed.sha256
            );
            verdict.flaw(&listed.name, "", what);
        }
    }
    let mut known: HashSet<&str> = manifest.files.iter().map(|it| it.name.as_str()).collect();
    known.extend([name::MANIFEST, name::NOTE]);
    let names: Vec<String> = zip
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    for name in names.iter().filter(|it| !known.contains(it.as_str())) {
        verdict.flaw(name, "", "it is not in the manifest");
    }
}

/// The records that are intact.
#[derive(Default)]
struct Intact {
    entries: Vec<Entry>,
    hashes: BTreeMap<u64, Hash>,
}

fn records(zip: &mut Zip, manifest: &Manifest, verdict: &mut Verdict) -> io::Result<Intact> {
    let mut intact = Intact::default();
    let Ok(file) = zip.by_name(name::RECORDS) else {
        verdict.flaw(name::RECORDS, "", "it is missing");
        return Ok(intact);
    };
    let mut reader = BufReader::new(file);
    let mut last: Option<(u64, Hash)> = None;
    for number in 1_u64.. {
        let mut line = Vec::new();
        let limit = MAX_WHOLE;
        if (&mut reader).take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        verdict.records += 1;
        let line = line.strip_suffix(b"\n").unwrap_or(&line).to_vec();
        let place = format!("line {number}");
        let Some((seq, prev, hash)) = taken_apart(&line, &place, verdict) else {
            continue;
        };
        let place = format!("record {seq}");
        if let Some((before, stated)) = last {
            if seq <= before {
                verdict.flaw(
                    name::RECORDS,
                    &place,
                    format!("it stands after record {before}"),
                );
            } else if seq == before + 1 && prev != stated {
                verdict.flaw(
                    name::RECORDS,
                    &place,
                    format!("it does not follow record {before}"),
                );
            }
        }
        last = Some((seq, hash));
        intact.hashes.insert(seq, hash);
        match Entry::parse(Record { seq, line }) {
            Ok(entry) => intact.entries.push(entry),
            Err(_) => verdict.flaw(name::RECORDS, &place, "it is no JSON"),
        }
    }
    for seq in &manifest.records {
        if !intact.hashes.contains_key(seq) {
            let what = "it is missing, or was changed beyond recognition";
            verdict.flaw(name::RECORDS, format!("record {seq}"), what);
        }
    }
    let listed: HashSet<u64> = manifest.records.iter().copied().collect();
    for seq in intact.hashes.keys().filter(|seq| !listed.contains(seq)) {
        let what = "it is not in the manifest";
        verdict.flaw(name::RECORDS, format!("record {seq}"), what);
    }
    Ok(intact)
}

/// Sequence number, the hash of the record before, and its own; `None` where it is not intact.
fn taken_apart(line: &[u8], place: &str, verdict: &mut Verdict) -> Option<(u64, Hash, Hash)> {
    let Some(parsed) = Line::parse(line) else {
        verdict.flaw(name::RECORDS, place, "it is no record");
        return None;
    };
    if !parsed.is_intact() {
        let place = format!("{place}, record {}", parsed.seq);
        verdict.flaw(name::RECORDS, place, "it was changed: its hash is another");
        return None;
    }
    Some((parsed.seq, raw(parsed.prev)?, raw(parsed.stated)?))
}

/// 64 hexadecimal digits as 32 bytes.
fn raw(hex: &[u8; 64]) -> Option<Hash> {
    let mut bytes = [0; 32];
    let (pairs, _) = hex.as_chunks::<2>();
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Hash(bytes))
}

/// What the records themselves say that there must be.
fn completeness(facts: &Facts, records: &Intact, manifest: &Manifest, verdict: &mut Verdict) {
    for known in facts.exchanges.iter().filter(|it| !it.is_own) {
        if known.outcome.is_empty() && !manifest.open.contains(&known.exchange) {
            let place = format!("exchange {}", known.exchange);
            verdict.flaw(name::RECORDS, place, "its closing record is missing");
        }
    }
    let closings = ["exchange.closed", "exchange.aborted"];
    let closed = records
        .entries
        .iter()
        .filter(|it| closings.contains(&it.event()));
    for entry in closed {
        let id = entry
            .text(&["metadata", "correlation_uid"])
            .unwrap_or_default();
        if facts.exchange(id).is_none() {
            let place = format!("exchange {id}");
            verdict.flaw(name::RECORDS, place, "its opening record is missing");
        }
    }
    if !manifest.unproved.is_empty() {
        let (count, first) = (manifest.unproved.len(), manifest.unproved.first());
        verdict.note(format!(
            "{count} records from {} on are newer than the checkpoint: nothing proves them yet",
            first.copied().unwrap_or_default()
        ));
    }
}

/// One of the two trees.
struct Tree {
    checkpoint: &'static str,
    proofs: &'static str,
    is_tenant: bool,
}

impl Tree {
    fn check(
        &self,
        zip: &mut Zip,
        manifest: &Manifest,
        records: &Intact,
        keys: &VerifierKeys,
        verdict: &mut Verdict,
    ) -> io::Result<()> {
        let Some(note) = whole(zip, self.checkpoint)? else {
            let kind = if self.is_tenant {
                "of the tenant's tree"
            } else {
                ""
            };
            verdict.note(format!(
                "there is no checkpoint {kind}, so no record is proved by it"
            ));
            return Ok(());
        };
        let signed = match Signed::parse(&note) {
            Ok(signed) => signed,
            Err(why) => {
                verdict.flaw(self.checkpoint, "", why);
                return Ok(());
            }
        };
        if let Err(why) = keys.check(&signed) {
            verdict.flaw(self.checkpoint, "", why);
        }
        let Ok(file) = zip.by_name(self.proofs) else {
            verdict.flaw(self.proofs, "", "it is missing");
            return Ok(());
        };
        let mut proved = HashSet::new();
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            let Ok(proof) = serde_json::from_slice::<Proof>(&line) else {
                verdict.flaw(self.proofs, "", "a line is no proof");
                continue;
            };
            let place = format!("record {}", proof.seq);
            match self.holds(&proof, &signed, records) {
                Ok(()) => drop(proved.insert(proof.seq)),
                Err(what) => verdict.flaw(self.proofs, place, what),
            }
        }
        self.lacking(manifest, records, &proved, verdict);
        Ok(())
    }

    fn holds(&self, proof: &Proof, signed: &Signed, records: &Intact) -> Result<(), String> {
        let hash = records.hashes.get(&proof.seq);
        let hash = hash.ok_or("there is no such record, so its proof proves nothing")?;
        // In the whole tree a leaf's number follows from its record's.
        if !self.is_tenant && proof.index.checked_add(1) != Some(proof.seq) {
            return Err("the proof is of another record's leaf".to_owned());
        }
        let path = proof.path.iter().map(|text| {
            let bytes = STANDARD.decode(text).ok()?;
            Some(Hash(bytes.try_into().ok()?))
        });
        let path = path.collect::<Option<Vec<Hash>>>();
        let path = path.ok_or("the proof has something else than hashes")?;
        let leaf = record_hash(&hash.0);
        check_record(&path, signed.size, signed.root, proof.index, leaf)
            .map_err(|_| "the proof fails: this record is not under that checkpoint".to_owned())
    }

    fn lacking(
        &self,
        manifest: &Manifest,
        records: &Intact,
        proved: &HashSet<u64>,
        verdict: &mut Verdict,
    ) {
        if self.is_tenant {
            return;
        }
        verdict.proved = proved.len() as u64;
        let unproved = |seq: &&u64| !proved.contains(seq) && !manifest.unproved.contains(seq);
        for seq in records.hashes.keys().filter(unproved) {
            verdict.flaw(self.proofs, format!("record {seq}"), "no proof of it holds");
        }
    }
}
