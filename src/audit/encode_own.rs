//! What the journal says of itself: its life, what it had to repair, and the marks between segments.

use super::encode::Encoder;
use super::encode_event::Value::{Flag, Number, Text};
use super::encode_event::{Draft, START, STATE, TROUBLE};
use crate::model::{ExchangeId, Timestamp};

/// What the journal says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Own<'a> {
    /// The process started; `clean` is whether the one before stopped in order.
    Started {
        durability: &'static str,
        clean: bool,
    },
    /// A torn tail was cut.
    Recovered {
        segment: &'a str,
        bytes: u64,
        sha256: &'a str,
    },
    /// An exchange was open when the process died.
    Aborted { exchange: ExchangeId },
    /// An outage is over.
    Restored {
        since: Timestamp,
        refused: u64,
        queued: u64,
        lost: u64,
        cause: &'a str,
    },
    /// A sink fell further behind than it may, or came back within its bounds.
    Lag {
        sink: &'a str,
        lagging: bool,
        records: u64,
        bytes: u64,
        seconds: u64,
        refuses: bool,
    },
    /// A record that a sink will never take.
    Poisoned {
        sink: &'a str,
        sequence: u64,
        detail: &'a str,
    },
    /// The last record of a segment: what it holds, itself included.
    Sealed {
        first: u64,
        records: u64,
        bytes: u64,
    },
}

impl Encoder {
    pub(super) fn own(&self, out: &mut Vec<u8>, own: &Own<'_>, at: Timestamp) {
        let mut write = |draft: Draft<'_>| self.draft(out, &draft, at);
        match *own {
            Own::Started { durability, clean } => write(Draft::new(
                START,
                "process.started",
                &[("durability", Text(durability)), ("clean", Flag(clean))],
            )),
            Own::Recovered {
                segment,
                bytes,
                sha256,
            } => write(Draft::new(
                TROUBLE,
                "journal.recovered",
                &[
                    ("segment", Text(segment)),
                    ("cut_bytes", Number(bytes)),
                    ("cut_sha256", Text(sha256)),
                ],
            )),
            Own::Aborted { exchange } => write(
                Draft::new(TROUBLE, "exchange.aborted", &[("cause", Text("crash"))])
                    .exchange(exchange),
            ),
            Own::Restored {
                since,
                refused,
                queued,
                lost,
                cause,
            } => write(Draft::new(
                TROUBLE,
                "journal.restored",
                &[
                    ("since", Number(u64::try_from(since.millis()).unwrap_or(0))),
                    ("refused", Number(refused)),
                    ("queued", Number(queued)),
                    ("lost", Number(lost)),
                    ("cause", Text(cause)),
                ],
            )),
            Own::Lag { .. } => self.lag(out, own, at),
            Own::Poisoned {
                sink,
                sequence,
                detail,
            } => write(Draft::new(
                TROUBLE,
                "sink.poisoned",
                &[
                    ("sink", Text(sink)),
                    ("record", Number(sequence)),
                    ("detail", Text(detail)),
                ],
            )),
            Own::Sealed {
                first,
                records,
                bytes,
            } => write(Draft::new(
                STATE,
                "segment.sealed",
                &[
                    ("first", Number(first)),
                    ("records", Number(records)),
                    ("bytes", Number(bytes)),
                ],
            )),
        }
    }

    fn lag(&self, out: &mut Vec<u8>, own: &Own<'_>, at: Timestamp) {
        let Own::Lag {
            sink,
            lagging,
            records,
            bytes,
            seconds,
            refuses,
        } = *own
        else {
            return;
        };
        let fields = [
            ("sink", Text(sink)),
            ("lagging", Flag(lagging)),
            ("lag_records", Number(records)),
            ("lag_bytes", Number(bytes)),
            ("lag_seconds", Number(seconds)),
            ("refuses", Flag(refuses)),
        ];
        let class = if lagging { TROUBLE } else { STATE };
        self.draft(out, &Draft::new(class, "sink.lag", &fields), at);
    }

    /// Exchanges that are still open as a segment ends, so that recovery need not read older ones.
    pub(super) fn carried(&self, out: &mut Vec<u8>, open: &[ExchangeId], at: Timestamp) {
        self.draft(out, &Draft::new(STATE, "segment.carried", &[]), at);
        // The draft ends with an empty `locum`: fill it.
        out.truncate(out.len() - 1);
        out.extend_from_slice(b"\"open\":[");
        for (at, exchange) in open.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
            exchange.write(out);
            out.push(b'"');
        }
        out.extend_from_slice(b"]}");
    }
}
