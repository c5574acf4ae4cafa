//! The plain types that a key can have: numbers, texts, paths, lists, maps, and their absence.

use super::document::{Item, Value};
use super::problem::Found;
use super::schema::{Measure, Setting, Shape, wrong_kind};
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Setting for bool {
    const SHAPE: Shape = Shape::Boolean;

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        if let Value::Boolean(yes) = item.value {
            Some(yes)
        } else {
            let remedy = "write true or false, without quotes";
            wrong_kind(item, "true or false", remedy, at, found);
            None
        }
    }
}

macro_rules! number {
    ($($ty:ty),+) => {$(
        impl Setting for $ty {
            const SHAPE: Shape = Shape::Number;
            const MEASURE: Measure = Measure::Count;

            fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
                let Value::Integer(number) = item.value else {
                    wrong_kind(item, "a whole number", "write it without quotes", at, found);
                    return None;
                };
                let value = Self::try_from(number).ok();
                if value.is_none() {
                    let remedy = format!("write 0 to {}", Self::MAX);
                    found.add(&item.place, at, item.shown(), "out of range", remedy);
                }
                value
            }

            fn measured(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+};
}
number!(u8, u16, u32, usize);

/// A type written as a text.
pub(super) trait Text: Sized {
    /// What it is, in a word or two for the documentation ("address").
    const WORDS: &'static str;
    /// How to write it, for an error ("write host and port, as in …").
    const REMEDY: &'static str;
    /// A value, in place of one that could not be read.
    const STAND_IN: &'static str = "x";

    /// The value, or what is wrong with the text ("not an address").
    fn parse(text: &str) -> Result<Self, String>;
}

impl<T: Text> Setting for T {
    const SHAPE: Shape = Shape::Text(T::WORDS);

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        let Value::Text(text) = &item.value else {
            wrong_kind(item, "a text in quotes", T::REMEDY, at, found);
            return None;
        };
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                found.add(&item.place, at, item.shown(), message, T::REMEDY);
                None
            }
        }
    }

    fn stand_in() -> Option<Self> {
        T::parse(T::STAND_IN).ok()
    }
}

impl Text for String {
    const WORDS: &'static str = "text";
    const REMEDY: &'static str = "write a text in quotes, without line breaks";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("empty".into())
        } else if text.chars().any(char::is_control) {
            Err("has a control character".into())
        } else {
            Ok(text.to_owned())
        }
    }
}

impl Text for PathBuf {
    const WORDS: &'static str = "path";
    const REMEDY: &'static str =
        "write a path; a relative one starts from the directory that locum is started in";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            Err("not a path".into())
        } else {
            Ok(Self::from(text))
        }
    }
}

impl<T: Setting> Setting for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    const MEASURE: Measure = T::MEASURE;

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        T::read(item, at, found).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn measured(&self) -> Option<u64> {
        self.as_ref().and_then(T::measured)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        let Value::List(list) = &item.value else {
            let remedy = match T::SHAPE {
                Shape::Table(..) => format!("write each one under its own [[{at}]]"),
                _ => "write it in brackets, as in [\"one\", \"two\"]".into(),
            };
            wrong_kind(item, "a list", &remedy, at, found);
            return None;
        };
        // Read all before giving up, so that every problem is found.
        let read = |(n, inner)| T::read(inner, &format!("{at}[{n}]"), found);
        let all: Vec<_> = list.iter().enumerate().map(read).collect();
        all.into_iter().collect()
    }

    fn stand_in() -> Option<Self> {
        Some(Self::new())
    }
}

impl Setting for BTreeMap<String, String> {
    const SHAPE: Shape = Shape::Map("text");

    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self> {
        let Value::Table(table) = &item.value else {
            wrong_kind(
                item,
                "a table",
                "write it as { \"Name\" = \"text\" }",
                at,
                found,
            );
            return None;
        };
        let mut read = |entry: &super::document::Entry| {
            let value = String::read(&entry.item, &format!("{at}.{}", entry.name), found)?;
            Some((entry.name.clone(), value))
        };
        let all: Vec<_> = table.entries.iter().map(&mut read).collect();
        all.into_iter().collect()
    }
}
