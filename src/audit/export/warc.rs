//! WARC 1.1 (ISO 28500:2017), for web archives: the bytes as they went over the wire, gzip a record.
//!
//! An exchange becomes a `response` record (as the operator got it), a `request`, and a `metadata` record with what the journal
//! says. What the app had sent, where that differs, and messages are `resource` records under `urn:locum:` names, so that
//! an archive that is replayed shows what the operator saw.

use super::digest::{Tap, sha256};
use super::error::ExportError;
use super::exchange::{phrase, url};
use super::facts::{Facts, Known, moment};
use crate::audit::recording::{Body, From, Kind, Message, Side, Tape, Taped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};

const SAME_PAYLOAD: &str = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest";
const NOT_MODIFIED: &str = "http://netpreserve.org/warc/1.1/revisit/server-not-modified";

/// Writes the whole archive.
///
/// # Errors
/// Where `out` takes no more, or the recording is damaged.
pub fn write(facts: &Facts, tape: &Tape, out: &mut dyn Write) -> Result<(), ExportError> {
    let info = record_id(&facts.session, "warcinfo");
    let mut writer = Archive {
        tape,
        out,
        info: info.clone(),
    };
    writer.info(facts, &info)?;
    for taped in tape.exchanges() {
        let known = facts.exchange(&taped.exchange.to_string());
        writer.exchange(taped, known)?;
    }
    writer.out.flush()?;
    Ok(())
}

struct Archive<'a> {
    tape: &'a Tape,
    out: &'a mut dyn Write,
    /// The id of the `warcinfo` record.
    info: String,
}

/// The named fields of a record, without those that follow from its block.
struct Record<'a> {
    kind: &'static str,
    id: &'a str,
    uri: &'a str,
    at: i64,
    content_type: &'static str,
    more: Vec<(&'static str, String)>,
}

/// A record's block: a head, and a recorded body after it.
struct Block<'a> {
    head: Vec<u8>,
    body: Option<&'a Body>,
}

impl Archive<'_> {
    fn info(&mut self, facts: &Facts, id: &str) -> Result<(), ExportError> {
        let block = format!(
            "software: Locum {}\r\nformat: WARC File Format 1.1\r\nconformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\nisPartOf: session {}\r\noperator: {}\r\ndescription: {} as {} of {} in {}\r\n",
            env!("CARGO_PKG_VERSION"),
            line(&facts.session),
            line(&facts.operator),
            line(&facts.operator),
            line(&facts.subject),
            line(&facts.tenant),
            line(&facts.app),
        );
        let at = self.tape.exchanges().first();
        let record = Record {
            kind: "warcinfo",
            id,
            uri: "",
            at: at.map_or(0, |it| it.opened_at.millis()),
            content_type: "application/warc-fields",
            more: vec![("WARC-Filename", format!("{}.warc.gz", facts.session))],
        };
        self.put(&record, &Block::of(block.into_bytes()))
    }

    fn exchange(&mut self, taped: &Taped, known: Option<&Known>) -> Result<(), ExportError> {
        let name = taped.exchange.to_string();
        let (uri, response) = (url(taped), record_id(&name, "response"));
        if let Some(shown) = &taped.shown {
            let is_revisit = shown.status == Some(304);
            let mut more = Vec::new();
            if is_revisit {
                more.push(("WARC-Profile", NOT_MODIFIED.to_owned()));
            }
            let record = Record {
                kind: if is_revisit { "revisit" } else { "response" },
                id: &response,
                uri: &uri,
                at: taped.opened_at.millis(),
                content_type: "application/http; msgtype=response",
                more,
            };
            self.side(record, shown, &status_line(shown))?;
        }
        if let Some(request) = &taped.request {
            let record = Record {
                kind: "request",
                id: &record_id(&name, "request"),
                uri: &uri,
                at: taped.opened_at.millis(),
                content_type: "application/http; msgtype=request",
                more: concurrent(taped, &response),
            };
            let line = format!("{} {} HTTP/1.1", taped.method, taped.target);
            self.side(record, request, &line)?;
        }
        if let Some(received) = taped.received.as_ref().filter(|it| is_apart(taped, it)) {
            self.received(taped, received, &response)?;
        }
        self.messages(taped, &response)?;
        self.metadata(taped, known, &response)
    }

    /// What the app had sent. A body that is the one that was shown stands there only.
    fn received(
        &mut self,
        taped: &Taped,
        received: &Side,
        response: &str,
    ) -> Result<(), ExportError> {
        let name = taped.exchange.to_string();
        let shown = taped.shown.as_ref().and_then(|it| it.body.as_ref());
        let is_same = received.body.is_some() && received.body.as_ref() == shown;
        let mut more = concurrent(taped, response);
        if is_same {
            more.push(("WARC-Profile", SAME_PAYLOAD.to_owned()));
            more.push(("WARC-Refers-To", response.to_owned()));
            more.push(("WARC-Refers-To-Target-URI", line(&url(taped))));
        }
        let record = Record {
            kind: if is_same { "revisit" } else { "resource" },
            id: &record_id(&name, "received"),
            uri: &format!("urn:locum:{name}:received"),
            at: received.at.millis(),
            content_type: "application/http; msgtype=response",
            more,
        };
        if !is_same {
            return self.side(record, received, &status_line(received));
        }
        let head = head(received, &status_line(received));
        self.put(&record, &Block::of(head))
    }

    fn messages(&mut self, taped: &Taped, response: &str) -> Result<(), ExportError> {
        if taped.messages.is_empty() {
            return Ok(());
        }
        let mut block = Vec::new();
        for one in &taped.messages {
            serde_json::to_writer(&mut block, &message(one)).map_err(io::Error::from)?;
            block.push(b'\n');
        }
        let name = taped.exchange.to_string();
        let record = Record {
            kind: "resource",
            id: &record_id(&name, "messages"),
            uri: &format!("urn:locum:{name}:messages"),
            at: taped.opened_at.millis(),
            content_type: "application/jsonl",
            more: concurrent(taped, response),
        };
        self.put(&record, &Block::of(block))
    }

    fn metadata(
        &mut self,
        taped: &Taped,
        known: Option<&Known>,
        response: &str,
    ) -> Result<(), ExportError> {
        let sides = [
            ("request", &taped.request),
            ("received", &taped.received),
            ("shown", &taped.shown),
        ];
        let bodies: Map<String, Value> = sides
            .into_iter()
            .filter_map(|(name, side)| {
                let body = side.as_ref()?.body.as_ref()?;
                Some((name.to_owned(), body_facts(body)))
            })
            .collect();
        let gap = |it: &crate::audit::recording::Gap| json!({ "at": it.at.to_string(), "bytes": it.bytes, "messages": it.messages, "why": it.why });
        let block = json!({
            "exchange": taped.exchange.to_string(), "app": taped.app, "rule": taped.rule, "action": taped.action,
            "recorded": taped.mode, "outcome": taped.outcome, "protocol": taped.protocol,
            "opened_at": taped.opened_at.to_string(), "ended_at": taped.ended_at.map(|at| at.to_string()),
            "bodies": bodies, "gaps": taped.gaps.iter().map(gap).collect::<Vec<_>>(),
            "journal": known.map(Known::members),
        });
        let name = taped.exchange.to_string();
        let record = Record {
            kind: "metadata",
            id: &record_id(&name, "metadata"),
            uri: &url(taped),
            at: taped.opened_at.millis(),
            content_type: "application/json",
            more: concurrent(taped, response),
        };
        self.put(&record, &Block::of(block.to_string().into_bytes()))
    }

    /// A head and its body as one HTTP message.
    fn side(
        &mut self,
        mut record: Record<'_>,
        side: &Side,
        first: &str,
    ) -> Result<(), ExportError> {
        let body = side.body.as_ref();
        if body.is_some_and(|it| it.withheld.is_some()) {
            record.more.push(("WARC-Truncated", "unspecified".into()));
        } else if body.is_some_and(|it| !it.is_whole) {
            record.more.push(("WARC-Truncated", "disconnect".into()));
        }
        let block = Block {
            head: head(side, first),
            body,
        };
        self.put(&record, &block)
    }

    /// Reads the block twice: its length and digests stand before it.
    fn put(&mut self, record: &Record<'_>, block: &Block<'_>) -> Result<(), ExportError> {
        let mut whole = Tap::new(io::sink());
        whole.write_all(&block.head)?;
        let mut payload = None;
        if let Some(body) = block.body {
            let mut tap = Tap::new(&mut whole);
            copy(self.tape, body, &mut tap)?;
            payload = Some(tap.end().1);
        }
        let (length, digest) = whole.end();
        let fields = self.fields(record, length, &digest, payload);
        let mut member = GzEncoder::new(&mut *self.out, Compression::default());
        member.write_all(fields.as_bytes())?;
        member.write_all(&block.head)?;
        if let Some(body) = block.body {
            copy(self.tape, body, &mut member)?;
        }
        member.write_all(b"\r\n\r\n")?;
        member.finish()?;
        Ok(())
    }

    fn fields(
        &self,
        record: &Record<'_>,
        length: u64,
        digest: &str,
        payload: Option<String>,
    ) -> String {
        let mut out = format!("WARC/1.1\r\nWARC-Type: {}\r\n", record.kind);
        let mut put = |name: &str, value: &str| {
            let _ = write!(out, "{name}: {value}\r\n");
        };
        put("WARC-Record-ID", record.id);
        put("WARC-Date", &moment(record.at));
        if !record.uri.is_empty() {
            put("WARC-Target-URI", &line(record.uri));
            put("WARC-Warcinfo-ID", &self.info);
        }
        for (name, value) in &record.more {
            put(name, value);
        }
        put("WARC-Block-Digest", &format!("sha256:{digest}"));
        // The payload of a resource is its whole block (ISO 28500:2017 §6.4).
        if let Some(payload) = payload.filter(|_| record.kind != "resource") {
            put("WARC-Payload-Digest", &format!("sha256:{payload}"));
        }
        put("Content-Type", record.content_type);
        put("Content-Length", &length.to_string());
        out.push_str("\r\n");
        out
    }
}

impl Block<'_> {
    fn of(head: Vec<u8>) -> Self {
        Self { head, body: None }
    }
}

/// Copies the stored bytes. A reading that fails is the recording's fault, a writing the taker's.
fn copy(tape: &Tape, body: &Body, to: &mut dyn Write) -> Result<(), ExportError> {
    use std::io::Read as _;
    let mut reader = tape.read(body);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = reader.read(&mut chunk).map_err(ExportError::Journal)?;
        match chunk.get(..read) {
            None | Some([]) => return Ok(()),
            Some(bytes) => to.write_all(bytes)?,
        }
    }
}

/// The status line and fields. The body is not in chunks any more; a coding that was undone to redact is named no more.
fn head(side: &Side, first: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(line(first).as_bytes());
    out.extend_from_slice(b"\r\n");
    let is_plain = side.body.as_ref().is_some_and(|body| body.decoded);
    for (name, value) in &side.headers {
        let is_undone = name == "content-encoding" && is_plain;
        if name == "transfer-encoding" || name.starts_with(':') || is_undone {
            continue;
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn status_line(side: &Side) -> String {
    let status = side.status.unwrap_or_default();
    format!("HTTP/1.1 {status} {}", phrase(status))
}

/// Whether what the app sent is something else than what the operator got.
fn is_apart(taped: &Taped, received: &Side) -> bool {
    taped.shown.as_ref().is_none_or(|shown| {
        shown.status != received.status
            || shown.headers != received.headers
            || shown.body != received.body
    })
}

fn concurrent(taped: &Taped, response: &str) -> Vec<(&'static str, String)> {
    match taped.shown {
        Some(_) => vec![("WARC-Concurrent-To", response.to_owned())],
        None => Vec::new(),
    }
}

fn body_facts(body: &Body) -> Value {
    json!({
        "bytes": body.bytes, "sha256": body.sha256, "whole": body.is_whole, "redacted": body.redacted,
        "decoded": body.decoded, "stored_sha256": body.stored_sha256, "withheld": body.withheld,
    })
}

fn message(it: &Message) -> Value {
    let text = match it.kind {
        Kind::Text | Kind::Event => std::str::from_utf8(&it.payload).ok(),
        _ => None,
    };
    json!({
        "at": it.at.to_string(), "from": match it.from { From::Operator => "operator", From::App => "app" },
        "kind": it.kind, "bytes": it.bytes, "redacted": it.redacted, "withheld": it.withheld,
        "text": text, "base64": text.is_none().then(|| STANDARD.encode(&it.payload)),
    })
}

/// The same export twice has the same ids: they come from the exchange. UUID version 8 (RFC 9562 §5.8).
pub(super) fn record_id(of: &str, kind: &str) -> String {
    let digest = sha256(format!("locum warc {kind} {of}").as_bytes());
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!(
        "<urn:uuid:{}-{}-8{}-8{}-{}>",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// On one line, whatever it was.
fn line(text: &str) -> String {
    let is_unfit = |c: char| c.is_control();
    text.chars()
        .map(|c| if is_unfit(c) { ' ' } else { c })
        .collect()
}
