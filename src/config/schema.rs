//! How keys are declared. One `section!` states a key's type, default, bounds, unit and meaning;
//! from it come the struct, the check for unknown keys, environment overrides and the documentation.

use super::document::{Item, Table, Value};
use super::problem::{Found, Place};
use super::suggest::nearest;
pub(super) use super::units::Measure;

/// What may stand at a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A text with a meaning, in words ("a duration").
    Text(&'static str),
    Boolean,
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    List(&'static Shape),
    /// A table whose keys are the user's.
    Map(&'static str),
    /// A table with these keys.
    Table(&'static [&'static str], &'static [Field]),
}

/// One key of a section.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub shape: Shape,
    /// As TOML; or `required`; or `unset`, where absence has a meaning of its own.
    pub default: &'static str,
    /// Smallest and largest value, in `measure`.
    pub bounds: Option<(u64, u64)>,
    pub measure: Measure,
    /// What a plain number counts.
    pub unit: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
}

impl Field {
    pub(super) fn is_required(&self) -> bool {
        self.default == "required"
    }

    /// Whether leaving it out means something that no value says.
    pub(super) fn is_unset(&self) -> bool {
        self.default == "unset"
    }
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    const SHAPE: Shape;
    const MEASURE: Measure = Measure::None;

    /// Reads it, adding to `found` what is wrong; `None` only if something was.
    fn read(item: &Item, at: &str, found: &mut Found) -> Option<Self>;

    /// What absence of an `unset` key means.
    fn absent() -> Option<Self> {
        None
    }

    /// Something in place of a required value that could not be read, so that the rest can be checked.
    fn stand_in() -> Option<Self> {
        None
    }

    /// The number that bounds are compared with, in [`Setting::MEASURE`].
    fn measured(&self) -> Option<u64> {
        None
    }
}

/// A set of keys: what `section!` makes.
pub(super) trait Section: Sized {
    const ABOUT: &'static [&'static str];
    const FIELDS: &'static [Field];

    /// Reads all keys of `table`, so that every problem is found, unknown ones included.
    fn read_table(table: &Table, place: &Place, at: &str, found: &mut Found) -> Option<Self>;
}

/// Declares a section: a struct, and its keys as data.
macro_rules! section {
    (@bounds) => { None };
    (@bounds $low:expr, $high:expr) => { Some(($low, $high)) };
    (@field $field:ident, $ty:ty, $default:tt, [$($bounds:tt)*], [$($unit:literal)?], [$($doc:literal)+]) => {
        $crate::config::schema::Field {
            name: stringify!($field),
            shape: <$ty as $crate::config::schema::Setting>::SHAPE,
            default: stringify!($default),
            bounds: section!(@bounds $($bounds)*),
            measure: <$ty as $crate::config::schema::Setting>::MEASURE,
            unit: concat!($($unit)?),
            doc: &[$($doc),+],
        }
    };
    ($(#[doc = $about:literal])+
     pub struct $name:ident {
        $($(#[doc = $doc:literal])+
          $field:ident : $ty:ty = $default:tt $(in [$($bounds:tt)*])? $(, $unit:literal)? ;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $ty,)+
        }

        impl $crate::config::schema::Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const FIELDS: &'static [$crate::config::schema::Field] = &[
                $(section!(@field $field, $ty, $default, [$($($bounds)*)?], [$($unit)?], [$($doc)+]),)+
            ];

            fn read_table(
                table: &$crate::config::document::Table,
                place: &$crate::config::problem::Place,
                at: &str,
                found: &mut $crate::config::problem::Found,
            ) -> Option<Self> {
                $crate::config::schema::refuse_unknown(table, Self::FIELDS, at, found);
                $(
                    let $field = {
                        const FIELD: &$crate::config::schema::Field =
                            &section!(@field $field, $ty, $default, [$($($bounds)*)?], [$($unit)?], [$($doc)+]);
                        $crate::config::schema::read_field::<$ty>(table, FIELD, place, at, found)
                    };
                )+
                Some(Self { $($field: $field?,)+ })
            }
        }

        impl $crate::config::schema::Setting for $name {
            const SHAPE: $crate::config::schema::Shape = $crate::config::schema::Shape::Table(
                <Self as $crate::config::schema::Section>::ABOUT,
                <Self as $crate::config::schema::Section>::FIELDS,
            );

            fn read(
                item: &$crate::config::document::Item,
                at: &str,
                found: &mut $crate::config::problem::Found,
            ) -> Option<Self> {
                $crate::config::schema::read_section(item, at, found)
            }
        }
    };
}
pub(super) use section;

/// Declares an enum of words that a key can be.
macro_rules! choice {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The word in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::config::schema::Setting for $name {
            const SHAPE: $crate::config::schema::Shape =
                $crate::config::schema::Shape::Choice(&[$($word),+]);

            fn read(
                item: &$crate::config::document::Item,
                at: &str,
                found: &mut $crate::config::problem::Found,
            ) -> Option<Self> {
                let word = $crate::config::schema::read_choice(item, &[$($word),+], at, found)?;
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            fn stand_in() -> Option<Self> {
                [$(Self::$variant),+].first().copied()
            }
        }
    };
}
pub(super) use choice;

/// Adds a problem for each key that is not declared.
pub(super) fn refuse_unknown(table: &Table, fields: &[Field], at: &str, found: &mut Found) {
    for entry in &table.entries {
        if fields.iter().any(|f| f.name == entry.name) {
            continue;
        }
        let known = || fields.iter().map(|f| f.name);
        let remedy = match nearest(&entry.name, known()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
        };
        let key = join(at, &entry.name);
        found.add(&entry.place, &key, None, "unknown key", remedy);
    }
}

/// Reads one key, or its default.
pub(super) fn read_field<T: Setting>(
    table: &Table,
    field: &'static Field,
    place: &Place,
    at: &str,
    found: &mut Found,
) -> Option<T> {
    let key = join(at, field.name);
    let Some(item) = table.get(field.name) else {
        if field.is_required() && found.is_lenient() {
            return T::stand_in();
        }
        if field.is_required() {
            let remedy = format!("add {} to it: {}", field.name, first_sentence(field.doc));
            found.add(place, &key, None, "missing", remedy);
            return None;
        }
        if field.is_unset() {
            return T::absent();
        }
        let item = super::document::parse_value(field.default, &Place::Default)?;
        return T::read(&item, &key, found);
    };
    let value = T::read(item, &key, found)?;
    if let (Some((low, high)), Some(measured)) = (field.bounds, value.measured())
        && !(low..=high).contains(&measured)
    {
        let show = |bound| super::units::show(bound, T::MEASURE);
        let remedy = format!("write {} to {}", show(low), show(high));
        found.add(&item.place, &key, item.shown(), "out of range", remedy);
        return None;
    }
    Some(value)
}

/// Reads a table as a section.
pub(super) fn read_section<T: Section>(item: &Item, at: &str, found: &mut Found) -> Option<T> {
    if let Value::Table(table) = &item.value {
        T::read_table(table, &item.place, at, found)
    } else {
        wrong_kind(
            item,
            "a table",
            "write it as [table] or { key = value }",
            at,
            found,
        );
        None
    }
}

/// Reads one of the words.
pub(super) fn read_choice(
    item: &Item,
    words: &[&'static str],
    at: &str,
    found: &mut Found,
) -> Option<&'static str> {
    let list = words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>();
    let remedy = format!("write one of {}", list.join(", "));
    let Value::Text(text) = &item.value else {
        wrong_kind(item, "a text", &remedy, at, found);
        return None;
    };
    let word = words.iter().copied().find(|word| word == text);
    if word.is_none() {
        found.add(&item.place, at, item.shown(), "not a known word", remedy);
    }
    word
}

/// Adds that a value is of the wrong kind.
pub(super) fn wrong_kind(item: &Item, want: &str, remedy: &str, at: &str, found: &mut Found) {
    let message = format!("{want} is needed, this is {}", item.kind());
    found.add(&item.place, at, item.shown(), message, remedy);
}

/// A key's dotted path.
pub(super) fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

/// The first sentence of a documentation.
pub(super) fn first_sentence(doc: &[&str]) -> String {
    let text = doc.iter().map(|l| l.trim()).collect::<Vec<_>>().join(" ");
    let end = text.find(". ").unwrap_or(text.trim_end_matches('.').len());
    let sentence = text.get(..end).unwrap_or(&text);
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
