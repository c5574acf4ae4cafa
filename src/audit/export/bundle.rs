//! One zip with everything about a session, which can be checked with nothing else at hand: the request, the votes, the grant,
//! all records with proofs, the recording, and a page for people.

use super::digest::Tap;
use super::error::ExportError;
use super::manifest::{FORMAT, Listed, MadeBy, Manifest, name, sign};
use super::package::Package;
use super::proofs::Proven;
use super::{har, page, warc};
use crate::audit::tree::LogKey;
use serde_json::{Value, json};
use std::io::Write;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes the package.
///
/// # Errors
/// Where `out` takes no more, or what goes in cannot be read.
pub(crate) fn write(package: &Package<'_>, out: impl Write) -> Result<(), ExportError> {
    let mut bundle = Bundle {
        zip: ZipWriter::new_stream(out),
        files: Vec::new(),
    };
    let dossier = package.dossier;
    bundle.json(name::REQUEST, dossier.request.as_ref())?;
    bundle.json(name::VOTES, Some(&json!(dossier.votes)))?;
    bundle.json(name::GRANT, dossier.grant.as_ref())?;
    bundle.json(name::HISTORY, Some(&json!(dossier.history)))?;
    bundle.put(name::RECORDS, |out| {
        for entry in package.entries {
            out.write_all(entry.raw.trim_end_matches('\n').as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    bundle.proofs(package.whole, name::CHECKPOINT, name::PROOFS)?;
    bundle.proofs(package.tenant, name::TENANT_CHECKPOINT, name::TENANT_PROOFS)?;
    if let Ok(tape) = package.tape {
        bundle.put(name::WARC, |out| warc::write(package.facts, tape, out))?;
    }
    bundle.put(name::HAR, |out| {
        let tape = package.tape.as_ref().ok().copied();
        har::write(package.facts, tape, package.max_body, out)
    })?;
    bundle.put(name::PAGE, |out| {
        Ok(out.write_all(page::html(package).as_bytes())?)
    })?;
    bundle.seal(package)
}

struct Bundle<W: Write> {
    zip: ZipWriter<zip::write::StreamWriter<W>>,
    files: Vec<Listed>,
}

impl<W: Write> Bundle<W> {
    fn put(
        &mut self,
        file: &str,
        content: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        // What is compressed already is only stored.
        let method = if file == name::WARC {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(true);
        self.zip.start_file(file, options)?;
        let mut tap = Tap::new(&mut self.zip);
        content(&mut tap)?;
        let (bytes, sha256) = tap.end();
        self.files.push(Listed {
            name: file.to_owned(),
            bytes,
            sha256,
        });
        Ok(())
    }

    fn json(&mut self, name: &str, value: Option<&Value>) -> Result<(), ExportError> {
        let Some(value) = value else { return Ok(()) };
        self.put(name, |out| Ok(writeln!(out, "{value:#}")?))
    }

    fn proofs(
        &mut self,
        proofs: Option<&Proven>,
        checkpoint: &str,
        records: &str,
    ) -> Result<(), ExportError> {
        let Some(proofs) = proofs else { return Ok(()) };
        self.put(checkpoint, |out| Ok(out.write_all(&proofs.checkpoint)?))?;
        self.put(records, |out| {
            for proof in &proofs.records {
                serde_json::to_writer(&mut *out, proof).map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })
    }

    /// The manifest comes last, since it lists all others; its note follows.
    fn seal(mut self, package: &Package<'_>) -> Result<(), ExportError> {
        let manifest = manifest(package, self.files.clone());
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        text.push(b'\n');
        self.put(name::MANIFEST, |out| Ok(out.write_all(&text)?))?;
        if !package.keys.is_empty() {
            let note = sign(&manifest.session, &text, package.keys)?;
            self.put(name::NOTE, |out| Ok(out.write_all(&note)?))?;
        }
        self.zip.finish()?.into_inner().flush()?;
        Ok(())
    }
}

fn manifest(package: &Package<'_>, files: Vec<Listed>) -> Manifest {
    let records: Vec<u64> = package.entries.iter().map(|it| it.sequence).collect();
    let is_proved = |seq: &u64| {
        let proofs = package.whole.map(|it| it.records.as_slice());
        proofs.is_some_and(|all| all.iter().any(|it| it.seq == *seq))
    };
    let open = package.facts.exchanges.iter();
    let open = open.filter(|it| !it.is_own && it.outcome.is_empty());
    Manifest {
        format: FORMAT.to_owned(),
        session: package.facts.session.clone(),
        tenant: package.facts.tenant.clone(),
        made: MadeBy::from(package.made),
        unproved: records
            .iter()
            .copied()
            .filter(|seq| !is_proved(seq))
            .collect(),
        records,
        open: open.map(|it| it.exchange.clone()).collect(),
        recording: match &package.tape {
            Ok(_) => "whole".to_owned(),
            Err(why) => why.clone(),
        },
        keys: package.keys.iter().map(LogKey::verifier_key).collect(),
        files,
    }
}
