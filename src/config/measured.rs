//! Durations and sizes as keys can have them.

use super::document::{Item, Value};
use super::problem::Found;
use super::schema::{Measure, Setting, Shape, wrong_kind};
use super::units::{SIZES, SPANS, Size, parse};
use std::time::Duration;

/// Reads a text with a unit; a plain `0` is taken too.
fn read_counted(
    item: &Item,
    units: &[(&str, u64)],
    what: &str,
    at: &str,
    found: &mut Found,
) -> Option<u64> {
    let (example, names) = if what == "a size" {
        ("64KiB", "B, KiB, MiB, GiB or TiB")
    } else {
        ("30s", "ms, s, m, h or d")
    };
    let remedy = format!("write a whole number and {names}, as in {example:?}");
    match &item.value {
        Value::Integer(0) => Some(0),
        Value::Text(text) => {
            let value = parse(text, units);
            if value.is_none() {
                found.add(&item.place, at, item.shown(), format!("not {what}"), remedy);
            }
            value
        }
        _ => {
            wrong_kind(item, &format!("{what} with its unit"), &remedy, at, found);
            None
        }
    }
}

impl Setting for Duration {
    const SHAPE: Shape = Shape::Text("duration");
    const MEASURE: Measure = Measure::Milliseconds;

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        read_counted(item, SPANS, "a duration", at, found).map(Self::from_millis)
    }

    fn measured(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }
}

impl Setting for Size {
    const SHAPE: Shape = Shape::Text("size");
    const MEASURE: Measure = Measure::Bytes;

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        read_counted(item, SIZES, "a size", at, found).map(Self::new)
    }

    fn measured(&self) -> Option<u64> {
        Some(self.bytes())
    }
}
