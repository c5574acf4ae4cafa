//! A recorded stream of server-sent events (HTML Standard §9.2) as it came: in pieces, each with its time.

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
