//! The recording in a package: each body against its own digest, and against the one in the journal's record.

use super::digest::{Tap, sha256};
use super::facts::{Facts, Known};
use super::manifest::name::WARC;
use super::verdict::Verdict;
use super::warc::record_id;
use super::warc_reader::{Head, Records};
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write as _};

/// The longest `metadata` block. Bytes.
const MAX_METADATA: u64 = 16 << 20;
/// The longest head of an HTTP message in a block. Bytes.
const MAX_HEAD: usize = 4 << 20;

pub(super) fn check(warc: impl Read, facts: &Facts, verdict: &mut Verdict) {
    let from = BufReader::new(MultiGzDecoder::new(BufReader::new(warc)));
    let mut check = Check {
        facts,
        verdict,
        digests: HashMap::new(),
    };
    if let Err(why) = check.all(&mut Records::new(from)) {
        check
            .verdict
            .flaw(WARC, "", format!("not readable to its end: {why}"));
    }
}

struct Check<'a> {
    facts: &'a Facts,
    verdict: &'a mut Verdict,
    /// Of payloads, by their record's id, until their exchange's `metadata` comes.
    digests: HashMap<String, String>,
}

impl Check<'_> {
    fn all<R: BufRead>(&mut self, records: &mut Records<R>) -> io::Result<()> {
        while let Some(head) = records.next()? {
            let id = head.field("warc-record-id").to_owned();
            match head.field("warc-type") {
                "metadata" => {
                    let mut block = Vec::new();
                    let read = records.block(&head).take(MAX_METADATA);
                    io::copy(&mut { read }, &mut block)?;
                    records.end()?;
                    self.block_digest(&head, &sha256(&block));
                    self.exchange(&block);
                }
                "request" | "response" | "revisit" | "resource" => {
                    let (block, payload) = digests(records.block(&head))?;
                    records.end()?;
                    self.block_digest(&head, &block);
                    self.payload_digest(&head, &payload);
                    // A body that stands elsewhere is compared there.
                    if head.field("warc-refers-to").is_empty() {
                        self.digests.insert(id, payload);
                    }
                }
                _ => {
                    let mut tap = Tap::new(io::sink());
                    io::copy(&mut records.block(&head), &mut tap)?;
                    records.end()?;
                    self.block_digest(&head, &tap.end().1);
                }
            }
        }
        Ok(())
    }

    fn block_digest(&mut self, head: &Head, found: &str) {
        self.compare(head, "warc-block-digest", found, "its block was changed");
    }

    fn payload_digest(&mut self, head: &Head, found: &str) {
        if !head.field("warc-payload-digest").is_empty() {
            self.compare(head, "warc-payload-digest", found, "its body was changed");
        }
    }

    fn compare(&mut self, head: &Head, field: &str, found: &str, what: &str) {
        if head.field(field).strip_prefix("sha256:") != Some(found) {
            let kind = head.field("warc-type");
            let place = format!("{kind} of {}", head.field("warc-target-uri"));
            self.verdict.flaw(WARC, place, what);
        }
    }

    /// The bodies of an exchange against what the journal has of them.
    fn exchange(&mut self, metadata: &[u8]) {
        let Ok(metadata) = serde_json::from_slice::<Value>(metadata) else {
            self.verdict.flaw(WARC, "", "a metadata record is no JSON");
            return;
        };
        let id = metadata.get("exchange").and_then(Value::as_str);
        let id = id.unwrap_or_default().to_owned();
        let Some(known) = self.facts.exchange(&id) else {
            let place = format!("exchange {id}");
            self.verdict
                .flaw(WARC, place, "no record tells of this exchange");
            return;
        };
        let response = self.digests.remove(&record_id(&id, "response"));
        let received = self.digests.remove(&record_id(&id, "received"));
        let request = self.digests.remove(&record_id(&id, "request"));
        self.digests.remove(&record_id(&id, "messages"));
        let received = received.or_else(|| response.clone());
        let journal = (&known.request_sha256, &known.response_sha256);
        self.body(known, &metadata, "request", request, Some(journal.0));
        self.body(known, &metadata, "received", received, Some(journal.1));
        self.body(known, &metadata, "shown", response, None);
    }

    /// One side: what is here, what the tape said of it, and what the journal has.
    fn body(
        &mut self,
        known: &Known,
        metadata: &Value,
        side: &str,
        found: Option<String>,
        journal: Option<&String>,
    ) {
        let Some(body) = metadata.get("bodies").and_then(|it| it.get(side)) else {
            return;
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let is_whole = body.get("whole").and_then(Value::as_bool) == Some(true);
        let told = text("sha256").unwrap_or_default();
        let place = format!(
            "exchange {} ({} {}), {side} body",
            known.exchange, known.method, known.target
        );
        let journal = journal.map(String::as_str).unwrap_or_default();
        if !journal.is_empty() && !told.is_empty() && journal != told {
            let what = format!("its record has SHA-256 {journal}, the recording has {told}");
            self.verdict.flaw(WARC, &place, what);
        }
        if !is_whole || text("withheld").is_some() {
            return;
        }
        let stored = text("stored_sha256").unwrap_or(told);
        self.verdict.bodies += 1;
        match found {
            Some(found) if found == stored || stored.is_empty() => {}
            Some(found) => {
                let what = format!("it has SHA-256 {found}, and not {stored} as was recorded");
                self.verdict.flaw(WARC, place, what);
            }
            None => self.verdict.flaw(WARC, place, "it is missing"),
        }
    }
}

/// SHA-256 of the block, and of what comes after the head of the HTTP message in it.
fn digests(block: impl Read) -> io::Result<(String, String)> {
    let mut block = BufReader::new(block);
    let (mut whole, mut payload) = (Tap::new(io::sink()), Tap::new(io::sink()));
    let mut head = 0;
    while head < MAX_HEAD {
        let mut line = Vec::new();
        let read = (&mut block)
            .take(MAX_HEAD as u64)
            .read_until(b'\n', &mut line)?;
        whole.write_all(&line)?;
        head += read;
        if read == 0 || line == b"\r\n" {
            break;
        }
    }
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = block.read(&mut chunk)?;
        match chunk.get(..read) {
            None | Some([]) => break,
            Some(bytes) => {
                whole.write_all(bytes)?;
                payload.write_all(bytes)?;
            }
        }
    }
    Ok((whole.end().1, payload.end().1))
}
