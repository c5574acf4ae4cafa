//! What records say of recordings: what is on the tape of an exchange, how far a tape has come.

use super::encode::{Encoder, key};
use super::encode_event::Value::{Flag, Number, Text};
use super::encode_event::{Draft, STATE, TROUBLE};
use super::escape::{self, number};
use super::event::Event;
use super::recording::{Kept, Spot};
use crate::model::Timestamp;

/// The longest reason that is written whole. Bytes.
const REASON: usize = 512;

/// Writes `,"recording":{…}`.
pub(super) fn write(out: &mut Vec<u8>, kept: &Kept) {
    out.extend_from_slice(b",\"recording\":{\"mode\":\"");
    out.extend_from_slice(kept.record.as_str().as_bytes());
    out.push(b'"');
    for (name, spot) in [("from", kept.first), ("to", kept.last)] {
        place(out, name, spot);
    }
    for (name, digest) in [
        ("request_sha256", &kept.request_sha256),
        ("received_sha256", &kept.received_sha256),
        ("shown_sha256", &kept.shown_sha256),
    ] {
        if let Some(digest) = digest {
            out.push(b',');
            key(out, name);
            out.push(b'"');
            escape::lower_hex(out, digest);
            out.push(b'"');
        }
    }
    if !kept.why.is_empty() {
        out.extend_from_slice(b",\"gap\":{\"bytes\":");
        number(out, kept.lost_bytes);
        out.extend_from_slice(b",\"messages\":");
        number(out, kept.lost_messages);
        out.extend_from_slice(b",\"why\":");
        escape::string(out, kept.why.as_bytes(), REASON);
        out.push(b'}');
    }
    out.push(b'}');
}

/// `"from":"1/17"`: part and frame.
fn place(out: &mut Vec<u8>, name: &str, spot: Spot) {
    out.push(b',');
    key(out, name);
    out.push(b'"');
    number(out, u64::from(spot.part));
    out.push(b'/');
    number(out, spot.frame);
    out.push(b'"');
}

impl Encoder {
    /// The recorder's own events.
    pub(super) fn recording(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        match *event {
            Event::RecordingMarked {
                session,
                part,
                frames,
                bytes,
                sha256,
            } => {
                let session = session.to_string();
                let fields = [
                    ("session", Text(&session)),
                    ("part", Number(u64::from(part))),
                    ("frames", Number(frames)),
                    ("bytes", Number(bytes)),
                    ("sha256", Text(sha256)),
                ];
                self.draft(out, &Draft::new(STATE, "recording.marked", &fields), at);
            }
            Event::RecordingState { up, detail } => {
                let fields = [("up", Flag(up)), ("detail", Text(detail))];
                let class = if up { STATE } else { TROUBLE };
                self.draft(out, &Draft::new(class, "recording.state", &fields), at);
            }
            _ => {}
        }
    }
}
