//! Server-sent events out of a recorded body (WHATWG HTML §9.2.6): each with the time at which its last byte passed.

use super::taped::{From, Kind, Message};
use crate::model::Timestamp;

/// Takes a body's pieces in order, gives the events that are whole.
#[derive(Debug, Default)]
pub(super) struct Events {
    held: Vec<u8>,
    pub(super) found: Vec<Message>,
}

impl Events {
    pub(super) fn take(&mut self, at: Timestamp, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while let Some((length, end)) = whole(&self.held) {
            let rest = self.held.split_off(end);
            self.held.truncate(length);
            let payload = std::mem::replace(&mut self.held, rest);
            if payload.is_empty() {
                continue;
            }
            self.found.push(Message {
                at,
                from: From::App,
                kind: Kind::Event,
                bytes: payload.len() as u64,
                payload,
                redacted: false,
                withheld: None,
            });
        }
    }
}

/// Where the first event ends, and where what follows its empty line begins. Lines end with LF, CR, or both.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut line = 0;
    while line < bytes.len() {
        let rest = bytes.get(line..)?;
        let end = line + memchr::memchr2(b'\n', b'\r', rest)?;
        let next = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => end + 2,
            _ => end + 1,
        };
        if end == line {
            let event = bytes.get(..line).unwrap_or_default();
            let event = event.strip_suffix(b"\n").unwrap_or(event);
            let event = event.strip_suffix(b"\r").unwrap_or(event);
            return Some((event.len(), next));
        }
        line = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<(i64, String)> {
        let mut events = Events::default();
        for (n, piece) in pieces.iter().enumerate() {
            let at = Timestamp::from_millis(i64::try_from(n).unwrap());
            events.take(at, piece.as_bytes());
        }
        let told = |it: Message| (it.at.millis(), String::from_utf8(it.payload).unwrap());
        events.found.into_iter().map(told).collect()
    }

    #[test]
    fn events_end_with_an_empty_line_however_they_were_cut() {
        let expected = |first, second| {
            [
                (first, "id: 1\ndata: a".to_owned()),
                (second, "data: b".to_owned()),
            ]
        };
        assert_eq!(events(&["id: 1\ndata: a\n\ndata: b\n\n"]), expected(0, 0));
        assert_eq!(
            events(&["id: 1\nda", "ta: a\n", "\ndata: b\n\n", "data: c"]),
            expected(2, 2)
        );
        assert_eq!(
            events(&["data: x\r\n\r\n\r\ndata: y\r\r"]),
            [(0, "data: x".to_owned()), (0, "data: y".to_owned())]
        );
    }
}
