//! What records say of recordings: how far a tape has come, and whether it can be written.

use super::encode::Encoder;
use super::encode_event::Value::{Flag, Number, Text};
use super::encode_event::{Draft, STATE, TROUBLE};
use super::event::Event;
use crate::model::Timestamp;

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
