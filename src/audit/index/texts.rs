//! The texts of a record's line, each with its place, without making a tree of the record.
//!
//! What is read here only narrows a search. It may be more than the record says, where a name stands twice in it, but
//! never less; and what is no JSON to `serde_json::Value` is none here.

use super::facts::{Field, SKIPPED, TEXTS};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The named value that it is.
    pub(super) field: Option<Field>,
    /// Whether its words are looked for.
    pub(super) is_said: bool,
}

/// Takes the texts of one record.
pub(super) trait Texts<'a> {
    /// `text` may be empty.
    fn text(&mut self, place: Place, text: Cow<'a, str>);

    /// The member `time`; may come twice, and the last one counts.
    fn time(&mut self, millis: i64);
}

/// Gives `to` all texts of a line.
///
/// # Errors
/// Where it is no JSON.
pub(super) fn read<'a>(line: &'a [u8], to: &mut impl Texts<'a>) -> serde_json::Result<()> {
    let text = std::str::from_utf8(line).map_err(serde_json::Error::custom)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Part {
        names: &NAMES,
        at: At {
            name: Some(ROOT),
            is_said: false,
        },
        is_root: true,
        to,
    };
    root.deserialize(&mut json)?;
    json.end()
}

/// A member name on the way to a field.
struct Name {
    is: &'static str,
    field: Option<Field>,
    /// Those within it.
    within: Vec<usize>,
}

/// The whole record among [`Names`].
const ROOT: usize = 0;

const TIME: &str = "time";

/// All paths of [`Field::paths`], as a tree.
struct Names(Vec<Name>);

static NAMES: LazyLock<Names> = LazyLock::new(Names::all);

impl Names {
    fn all() -> Self {
        let mut all = Self(vec![Name {
            is: "",
            field: None,
            within: Vec::new(),
        }]);
        for field in Field::ALL {
            for path in field.paths() {
                let last = path.iter().fold(ROOT, |at, name| all.add(at, name));
                if let Some(name) = all.0.get_mut(last) {
                    name.field = Some(field);
                }
            }
        }
        all
    }

    fn add(&mut self, at: usize, name: &'static str) -> usize {
        if let Some(there) = self.step(at, name) {
            return there;
        }
        let new = self.0.len();
        self.0.push(Name {
            is: name,
            field: None,
            within: Vec::new(),
        });
        if let Some(above) = self.0.get_mut(at) {
            above.within.push(new);
        }
        new
    }

    fn step(&self, at: usize, name: &str) -> Option<usize> {
        let within = &self.0.get(at)?.within;
        let is_it = |at: &usize| self.0.get(*at).is_some_and(|it| it.is == name);
        within.iter().copied().find(is_it)
    }

    fn field(&self, at: usize) -> Option<Field> {
        self.0.get(at)?.field
    }
}

/// Where one stands in a record.
#[derive(Clone, Copy)]
struct At {
    name: Option<usize>,
    is_said: bool,
}

/// A value of the record, and all within it.
struct Part<'t, T> {
    names: &'static Names,
    at: At,
    is_root: bool,
    to: &'t mut T,
}

impl<T> Part<'_, T> {
    /// The place of the member `name`, and whether it is the record's time.
    fn member(&self, name: &str) -> (At, bool) {
        let at = At {
            name: self.at.name.and_then(|at| self.names.step(at, name)),
            is_said: if self.is_root {
                TEXTS.contains(&name)
            } else {
                self.at.is_said && !SKIPPED.contains(&name)
            },
        };
        (at, self.is_root && name == TIME)
    }
}

impl<'a, T: Texts<'a>> Part<'_, T> {
    fn text(self, text: Cow<'a, str>) {
        let mut place = Place {
            field: self.at.name.and_then(|at| self.names.field(at)),
            is_said: self.at.is_said,
        };
        // An event's name is found by its words too.
        place.is_said |= place.field == Some(Field::Event);
        if place.is_said || place.field.is_some() {
            self.to.text(place, text);
        }
    }
}

impl<'a, T: Texts<'a>> DeserializeSeed<'a> for Part<'_, T> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'a, T: Texts<'a>> Visitor<'a> for Part<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some((at, is_time)) = members.next_key_seed(Member(&self))? {
            if is_time {
                let millis = members.next_value::<serde_json::Value>()?;
                let millis = millis.as_i64().unwrap_or(0);
                self.to.time(millis);
                continue;
            }
            members.next_value_seed(Part {
                names: self.names,
                at,
                is_root: false,
                to: &mut *self.to,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let at = At {
            name: None,
            ..self.at
        };
        loop {
            let item = Part {
                names: self.names,
                at,
                is_root: false,
                to: &mut *self.to,
            };
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The name of a member of this part.
struct Member<'p, 't, T>(&'p Part<'t, T>);

impl<'a, T> DeserializeSeed<'a> for Member<'_, '_, T> {
    type Value = (At, bool);

    fn deserialize<D: serde::Deserializer<'a>>(self, from: D) -> Result<(At, bool), D::Error> {
        from.deserialize_str(self)
    }
}

impl<T> Visitor<'_> for Member<'_, '_, T> {
    type Value = (At, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(At, bool), E> {
        Ok(self.0.member(name))
    }
}
