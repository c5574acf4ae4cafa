//! Server-sent events (HTML Standard §9.2) of a recorded stream: the tape keeps its bytes in pieces, each with its time.

use super::exchange::media;
use crate::audit::recording::{Body, Side, Tape};
use crate::model::Timestamp;
use std::io::Read;

/// Bytes of one piece at most: a tape's chunk.
const PIECE: usize = 64 << 10;

/// Whether a side is a stream of events.
pub fn is_stream(side: &Side) -> bool {
    media(side) == "text/event-stream"
}

/// The pieces of a body as they passed, with their times.
pub struct Pieces {
    reader: Box<dyn Read + Send>,
    times: std::vec::IntoIter<Timestamp>,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pieces({} left)", self.times.len())
    }
}

impl Pieces {
    pub fn of(tape: &Tape, body: &Body) -> Self {
        Self {
            reader: Box::new(tape.read(body)),
            times: body.times().collect::<Vec<_>>().into_iter(),
        }
    }
}

impl Iterator for Pieces {
    type Item = (Timestamp, Vec<u8>);

    /// The next one; what cannot be read ends them.
    fn next(&mut self) -> Option<Self::Item> {
        let at = self.times.next()?;
        let mut piece = vec![0; PIECE];
        let read = self.reader.read(&mut piece).ok().filter(|read| *read > 0)?;
        piece.truncate(read);
        Some((at, piece))
    }
}

/// The events of a stream, each with the time at which it was whole; at most `most`, and none longer than `longest` bytes.
pub fn events(tape: &Tape, side: &Side, most: usize, longest: usize) -> Vec<(Timestamp, String)> {
    let body = side.body.as_ref().filter(|_| is_stream(side));
    let mut events = Vec::new();
    let mut text = Vec::new();
    for (at, piece) in body.into_iter().flat_map(|body| Pieces::of(tape, body)) {
        text.extend(piece.into_iter().filter(|byte| *byte != b'\r'));
        while let Some(end) = memchr::memmem::find(&text, b"\n\n") {
            let rest = text.split_off(end + 2);
            let event = std::mem::replace(&mut text, rest);
            let event = String::from_utf8_lossy(&event).trim_end().to_owned();
            if !event.is_empty() {
                events.push((at, event));
            }
            if events.len() >= most {
                return events;
            }
        }
        if text.len() > longest {
            return events;
        }
    }
    events
}
