//! What the journal says of recordings, and whether a tape is what it says.

use super::digest;
use super::error::RecordingError;
use super::library::Library;
use super::part;
use super::taped::{Side, Taped};
use crate::audit::segment;
use crate::model::SessionId;
use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

/// An erased recording, as the journal tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Erasure {
    pub session: String,
    pub by: String,
    pub why: String,
}

/// Every erasing in the journal at `dir`, in order.
pub fn erasures(dir: &Path) -> io::Result<Vec<Erasure>> {
    let mut found = Vec::new();
    each(dir, b"\"recording.erased\"", |record| {
        if code(&record) != "recording.erased" {
            return;
        }
        let text = |name: &str| {
            record["locum"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        found.push(Erasure {
            session: text("session"),
            by: text("by"),
            why: text("why"),
        });
    })?;
    Ok(found)
}

/// What a check of a tape found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Exchanges of which the journal says that they are on the tape.
    pub exchanges: usize,
    /// How far a tape had come, as the journal says: so many were compared.
    pub marks: usize,
    /// What does not fit. Empty: the tape is what the journal says.
    pub faults: Vec<String>,
    /// What is no fault, and worth knowing.
    pub notes: Vec<String>,
}

/// Compares a session's tape with what the journal at `journal` says of it: every mark with the bytes of the file, every
/// exchange's digests with its bodies.
///
/// # Errors
/// Where the tape cannot be opened, or the journal not be read. What is changed or missing is no error but a fault.
pub fn check(
    library: &Library,
    session: SessionId,
    journal: &Path,
) -> Result<Checked, RecordingError> {
    let mut checked = Checked::default();
    let name = session.to_string();
    let (mut marks, mut closed) = (Vec::new(), Vec::new());
    each(journal, name.as_bytes(), |record| {
        if record["locum"]["session"] != name.as_str() {
            return;
        }
        match code(&record) {
            "recording.marked" => marks.push(record),
            "exchange.closed" if record["locum"]["recording"].is_object() => closed.push(record),
            _ => {}
        }
    })
    .map_err(RecordingError::io(journal, "read the journal in"))?;
    for mark in &marks {
        checked.marks += 1;
        marked(library.dir(), session, mark, &mut checked.faults);
    }
    let tape = match library.tape(session) {
        Ok(tape) => tape,
        Err(RecordingError::Damaged { path, what }) => {
            checked.faults.push(format!("{}: {what}", path.display()));
            return Ok(checked);
        }
        Err(why) => return Err(why),
    };
    for torn in tape.torn() {
        checked.notes.push(format!(
            "part {} ends with {} bytes that are no whole frame, from byte {} on: the process died there, or they were cut",
            torn.part, torn.bytes, torn.at
        ));
    }
    for record in &closed {
        checked.exchanges += 1;
        let exchange = record["metadata"]["correlation_uid"]
            .as_str()
            .unwrap_or_default();
        let taped = tape.exchanges().iter();
        let taped = taped
            .into_iter()
            .find(|it| it.exchange.to_string() == exchange);
        compare(exchange, record, taped, &mut checked);
    }
    Ok(checked)
}

fn code(record: &Value) -> &str {
    record["metadata"]["event_code"]
        .as_str()
        .unwrap_or_default()
}

/// The file up to the mark must have the mark's digest.
fn marked(dir: &Path, session: SessionId, mark: &Value, faults: &mut Vec<String>) {
    let number = mark["locum"]["part"].as_u64().unwrap_or(0);
    let bytes = mark["locum"]["bytes"].as_u64().unwrap_or(0);
    let path = part::path(dir, session, u32::try_from(number).unwrap_or(u32::MAX));
    let digest = File::open(&path).and_then(|file| sha256(file.take(bytes)));
    let fault = match digest {
        Err(why) => format!("{}: {why}", path.display()),
        Ok((length, _)) if length < bytes => format!(
            "{}: it has {length} bytes, and had {bytes} by record {}: its end was cut off",
            path.display(),
            mark["seq"]
        ),
        Ok((_, digest)) if mark["locum"]["sha256"] != digest.as_str() => format!(
            "{}: its first {bytes} bytes are not those of record {}",
            path.display(),
            mark["seq"]
        ),
        Ok(_) => return,
    };
    faults.push(fault);
}

fn sha256(mut from: impl io::Read) -> io::Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok((length, digest::encode(context.finish().as_ref())));
        }
        length += read as u64;
        context.update(piece.get(..read).unwrap_or_default());
    }
}

/// The exchange must be there, with the digests of its closing record.
fn compare(exchange: &str, record: &Value, taped: Option<&Taped>, checked: &mut Checked) {
    let recording = &record["locum"]["recording"];
    if let Some(gap) = recording.get("gap") {
        let note = format!("exchange {exchange} has a gap: {}", gap["why"]);
        checked.notes.push(note);
        return;
    }
    let Some(taped) = taped.filter(|taped| taped.ended_at.is_some()) else {
        let fault =
            format!("exchange {exchange} is in the journal and not, or not whole, on the tape");
        checked.faults.push(fault);
        return;
    };
    let sides = [
        ("request_sha256", &taped.request),
        ("received_sha256", &taped.received),
        ("shown_sha256", &taped.shown),
    ];
    for (name, side) in sides {
        let Some(told) = recording[name].as_str() else {
            continue;
        };
        let found = side.as_ref().and_then(|side: &Side| side.body.as_ref());
        if found.is_none_or(|body| body.sha256 != told) {
            let fault = format!(
                "exchange {exchange}: {name} is not that of record {}",
                record["seq"]
            );
            checked.faults.push(fault);
        }
    }
}

/// Gives each record of the journal whose line has `needle` in it. A torn last line is none.
fn each(dir: &Path, needle: &[u8], mut give: impl FnMut(Value)) -> io::Result<()> {
    for first in segment::list(dir)? {
        let mut lines = BufReader::new(File::open(segment::path(dir, first))?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            if memchr::memmem::find(&line, needle).is_some()
                && let Ok(record) = serde_json::from_slice(&line)
            {
                give(record);
            }
            line.clear();
        }
    }
    Ok(())
}
