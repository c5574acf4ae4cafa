//! What Locum notices of the world around it while it serves.

use super::encode::Encoder;
use super::encode_event::Value::{Counts, Number, Text};
use super::encode_event::{Draft, STATE, TROUBLE};
use super::escape::{self, number};
use super::event::Event;
use crate::model::{Step, Timestamp};

impl Encoder {
    pub(super) fn watched(&self, out: &mut Vec<u8>, event: &Event<'_>, at: Timestamp) {
        match *event {
            Event::ClockStepped(step) => self.clock_stepped(out, &step, at),
            Event::RefusalsCounted {
                since,
                until,
                refusals,
                reasons,
                addresses,
                elsewhere,
            } => {
                let fields = [
                    ("since", Number(millis(since))),
                    ("until", Number(millis(until))),
                    ("refusals", Number(refusals)),
                    ("reasons", Counts(reasons)),
                    ("addresses", Counts(addresses)),
                    ("elsewhere", Number(elsewhere)),
                ];
                self.draft(out, &Draft::new(TROUBLE, "refusals.counted", &fields), at);
            }
            Event::Room {
                place,
                stand,
                free,
                alarm,
                refuse,
                refused,
            } => {
                let fields = [
                    ("place", Text(place)),
                    ("stand", Text(stand)),
                    ("free_bytes", Number(free)),
                    ("alarm_bytes", Number(alarm)),
                    ("refuse_bytes", Number(refuse)),
                    ("refused", Number(refused)),
                ];
                let class = if stand == "enough" { STATE } else { TROUBLE };
                self.draft(out, &Draft::new(class, "disk.room", &fields), at);
            }
            other => debug_assert!(false, "{other:?} has no encoding here"),
        }
    }

    fn clock_stepped(&self, out: &mut Vec<u8>, step: &Step, at: Timestamp) {
        let monotonic = u64::try_from(step.monotonic.as_millis()).unwrap_or(u64::MAX);
        let direction = if step.millis() < 0 { "back" } else { "forward" };
        let fields = [
            ("wall", Number(millis(step.wall))),
            ("expected", Number(millis(step.expected))),
            ("monotonic", Number(monotonic)),
            ("by_ms", Number(step.millis().unsigned_abs())),
            ("direction", Text(direction)),
        ];
        self.draft(out, &Draft::new(TROUBLE, "clock.stepped", &fields), at);
    }

    pub(super) fn object(&self, out: &mut Vec<u8>, counts: &[(&str, u64)]) {
        out.push(b'{');
        for (at, (name, count)) in counts.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            escape::string(out, name.as_bytes(), self.max_field);
            out.push(b':');
            number(out, *count);
        }
        out.push(b'}');
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0)
}
