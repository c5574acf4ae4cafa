//! One session's recording, open for reading.

use super::assemble::Assembly;
use super::digest::{self, Digest};
use super::error::RecordingError;
use super::events::Events;
use super::frame::{Frame, Outline, outline};
use super::scan::{Opened, Part, Place, Scan, Step, Torn};
use super::seal::SessionKey;
use super::taped::{Body, Gap, Taped};
use crate::model::SessionId;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// The most bytes of messages that a reader holds at once; what is beyond is told as withheld. Bytes.
const MAX_MESSAGES: usize = 256 << 20;

/// A session's recording. Opening it reads and checks every frame; bodies are fetched when asked for.
pub struct Tape {
    session: SessionId,
    store: Arc<Store>,
    exchanges: Vec<Taped>,
    gaps: Vec<Gap>,
    torn: Vec<Torn>,
}

/// The parts, and where each chunk is.
struct Store {
    parts: Vec<Part>,
    chunks: HashMap<Digest, Place>,
}

impl Tape {
    pub(super) fn open(
        dir: &Path,
        session: SessionId,
        key: &SessionKey,
    ) -> Result<Self, RecordingError> {
        let mut reading = Reading::default();
        for number in 1.. {
            let Some(opened) = Part::open(dir, session, number, key)? else {
                break;
            };
            match opened {
                Opened::Torn(torn) => reading.torn.push(torn),
                Opened::Whole(part) => reading.part(part, number)?,
            }
        }
        let Reading {
            parts,
            chunks,
            mut assembly,
            torn,
        } = reading;
        let store = Store { parts, chunks };
        let held = fetch_payloads(&store, &mut assembly)?;
        fetch_events(&store, &mut assembly, held)?;
        Ok(Self {
            session,
            store: Arc::new(store),
            exchanges: assembly.exchanges,
            gaps: assembly.gaps,
            torn,
        })
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    /// In the order in which they began.
    pub fn exchanges(&self) -> &[Taped] {
        &self.exchanges
    }

    /// What is missing and belongs to no exchange.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Ends of parts that are no whole frames: the process died while it wrote there.
    pub fn torn(&self) -> &[Torn] {
        &self.torn
    }

    /// All stored bytes of a body, checked against its digest.
    ///
    /// # Errors
    /// [`RecordingError::NotWhole`] where not all of it is stored; [`Tape::read`] gives what there is.
    pub fn body(&self, body: &Body) -> Result<Vec<u8>, RecordingError> {
        if let Some(why) = &body.withheld {
            return Err(RecordingError::NotWhole { what: why.clone() });
        }
        if !body.is_whole {
            let what = "it was cut, or a part of it was not recorded".into();
            return Err(RecordingError::NotWhole { what });
        }
        let mut out = Vec::new();
        let mut context = Context::new(&SHA256);
        for digest in body.digests() {
            let bytes = self.store.chunk(&digest)?;
            context.update(&bytes);
            out.extend_from_slice(&bytes);
        }
        let found = digest::encode(context.finish().as_ref());
        if found != *body.stored_sha256.as_ref().unwrap_or(&body.sha256) {
            let path = self.store.parts.first().map(|part| part.path.clone());
            return Err(RecordingError::damaged(
                &path.unwrap_or_default(),
                format!("a body has digest {found}, not the one that the tape names"),
            ));
        }
        Ok(out)
    }

    /// The stored bytes of a body, one chunk after another, as far as there are any.
    pub fn read(&self, body: &Body) -> impl Read + Send + use<> {
        Reader {
            store: Arc::clone(&self.store),
            left: body.digests().collect::<Vec<_>>().into_iter(),
            chunk: io::Cursor::default(),
        }
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Tape({}, {} exchanges)",
            self.session,
            self.exchanges.len()
        )
    }
}

/// What is read of a tape so far.
#[derive(Default)]
struct Reading {
    parts: Vec<Part>,
    chunks: HashMap<Digest, Place>,
    assembly: Assembly,
    torn: Vec<Torn>,
}

impl Reading {
    fn part(&mut self, part: Part, number: u32) -> Result<(), RecordingError> {
        let mut scan = Scan::new(&part, self.parts.len(), number)?;
        loop {
            let (place, plain) = match scan.step()? {
                Step::End => break,
                Step::Torn(torn) => {
                    self.torn.push(torn);
                    break;
                }
                Step::Frame(place, plain) => (place, plain),
            };
            let outline = outline(plain).map_err(|why| part.unreadable(place.number, &why))?;
            match outline {
                Outline::Chunk(digest) => {
                    self.chunks.entry(digest).or_insert(place);
                }
                Outline::Head(head) => self.assembly.take(*head).map_err(|what| {
                    RecordingError::damaged(&part.path, format!("frame {}: {what}", place.number))
                })?,
            }
        }
        self.parts.push(part);
        Ok(())
    }
}

impl Store {
    fn chunk(&self, digest: &Digest) -> Result<Vec<u8>, RecordingError> {
        let found = self
            .chunks
            .get(digest)
            .and_then(|place| Some((self.parts.get(place.part)?, *place)));
        let Some((part, place)) = found else {
            let path = self.parts.first().map(|part| part.path.clone());
            return Err(RecordingError::damaged(
                &path.unwrap_or_default(),
                format!("chunk {} is missing", digest::encode(digest)),
            ));
        };
        match part.frame(place)? {
            Frame::Chunk { bytes, .. } => Ok(bytes),
            Frame::Head(_) => Err(RecordingError::damaged(&part.path, "a chunk became a head")),
        }
    }
}

/// How many bytes they are.
fn fetch_payloads(store: &Store, assembly: &mut Assembly) -> Result<usize, RecordingError> {
    let mut held = 0;
    for (exchange, message, chunks) in std::mem::take(&mut assembly.payloads) {
        let taped = assembly.exchanges.get_mut(exchange);
        let Some(message) = taped.and_then(|taped| taped.messages.get_mut(message)) else {
            continue;
        };
        let bytes = usize::try_from(message.bytes).unwrap_or(usize::MAX);
        if bytes > MAX_MESSAGES - held {
            message.withheld = Some("more messages than a reader holds at once".into());
            continue;
        }
        for digest in &chunks {
            let bytes = store.chunk(digest)?;
            held += bytes.len();
            message.payload.extend_from_slice(&bytes);
        }
        held = held.min(MAX_MESSAGES);
    }
    Ok(held)
}

/// Server-sent events are on the tape as the body that they are; they are told from each other here.
fn fetch_events(
    store: &Store,
    assembly: &mut Assembly,
    mut held: usize,
) -> Result<(), RecordingError> {
    for taped in &mut assembly.exchanges {
        let Some(side) = &taped.received else {
            continue;
        };
        let is = |name: &str, start: &[u8]| {
            let mut fields = side.headers.iter();
            fields.any(|(known, value)| known == name && value.starts_with(start))
        };
        let Some(body) = &side.body else { continue };
        let is_plain = body.decoded || !side.headers.iter().any(|it| it.0 == "content-encoding");
        if !is_plain || !is("content-type", b"text/event-stream") {
            continue;
        }
        let mut events = Events::default();
        for piece in &body.pieces {
            let bytes = store.chunk(&piece.digest)?;
            if bytes.len() > MAX_MESSAGES - held {
                break;
            }
            held += bytes.len();
            events.take(piece.at, &bytes);
        }
        taped.messages.append(&mut events.found);
    }
    Ok(())
}

/// A body's bytes, one chunk in memory at a time.
struct Reader {
    store: Arc<Store>,
    left: std::vec::IntoIter<Digest>,
    chunk: io::Cursor<Vec<u8>>,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(digest) = self.left.next() else {
                return Ok(0);
            };
            self.chunk = io::Cursor::new(self.store.chunk(&digest).map_err(io::Error::other)?);
        }
    }
}
