//! The TOML text as a tree in which every value knows the line it was written on.

use super::problem::{Found, Place};
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Boolean(bool),
    List(Vec<Item>),
    Table(Table),
    /// A kind that no key takes (floats, dates), as it was written.
    Other(String),
}

/// Keys in the order of the file. Small: searched from the front.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the key stands; a table's value may begin elsewhere.
    pub(super) place: Place,
    pub(super) item: Item,
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Item> {
        self.entries
            .iter()
            .find(|e| e.name == name)
            .map(|e| &e.item)
    }

    /// Sets a key, replacing what was there.
    pub(super) fn set(&mut self, name: &str, item: Item) {
        self.entries.retain(|e| e.name != name);
        self.entries.push(Entry {
            name: name.to_owned(),
            place: item.place.clone(),
            item,
        });
    }

    /// The table under `name`, made if there is none. `None` if something else is there.
    pub(super) fn table_mut(&mut self, name: &str, place: &Place) -> Option<&mut Table> {
        if self.get(name).is_none() {
            let value = Value::Table(Table::default());
            let place = place.clone();
            self.set(name, Item { value, place });
        }
        let entry = self.entries.iter_mut().find(|e| e.name == name)?;
        match &mut entry.item.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value at a dotted path (`apps[0].upstream`), or the nearest thing above it that exists.
    pub(super) fn nearest(&self, path: &str) -> Option<(&Item, bool)> {
        let mut table = self;
        let mut deepest: Option<&Item> = None;
        for step in path.split('.') {
            let (name, indexes) = step.split_once('[').unwrap_or((step, ""));
            let Some(mut item) = table.get(name) else {
                return deepest.map(|item| (item, false));
            };
            for index in indexes.split('[').filter(|i| !i.is_empty()) {
                let index = index.trim_end_matches(']').parse::<usize>().ok();
                let Value::List(list) = &item.value else {
                    break;
                };
                match index.and_then(|i| list.get(i)) {
                    Some(inner) => item = inner,
                    None => return Some((item, false)),
                }
            }
            deepest = Some(item);
            if let Value::Table(inner) = &item.value {
                table = inner;
            } else {
                static EMPTY: Table = Table {
                    entries: Vec::new(),
                };
                table = &EMPTY;
            }
        }
        deepest.map(|item| (item, true))
    }
}

impl Item {
    /// The value as the user would write it; nothing for tables and long lists. A URL's user
    /// information is never shown.
    pub(super) fn shown(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(shown_text(text)),
            Value::Integer(number) => Some(number.to_string()),
            Value::Boolean(yes) => Some(yes.to_string()),
            Value::Other(written) => Some(written.clone()),
            Value::List(list) if list.len() <= 4 => {
                let inner: Option<Vec<_>> = list.iter().map(Self::shown).collect();
                Some(format!("[{}]", inner?.join(", ")))
            }
            Value::List(_) | Value::Table(_) => None,
        }
    }

    /// What kind of value this is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(_) => "a number with a fraction or a date",
        }
    }
}

fn shown_text(text: &str) -> String {
    let mut text: String = text.chars().take(80).collect();
    if let (Some(scheme), Some(at)) = (text.find("://"), text.rfind('@'))
        && scheme + 3 <= at
    {
        text.replace_range(scheme + 3..at, "…");
    }
    format!("{text:?}")
}

/// Parses a whole file. Syntax errors are added to `found`; what could be read in spite of them is
/// returned.
pub(super) fn parse(text: &str, found: &mut Found) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    let lines = Lines(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        found.add(
            &lines.place(at),
            "",
            None,
            format!("not TOML: {message}"),
            "look for a missing quote, bracket, comma or \"=\" on this line, or for a key that \
             is given twice",
        );
    }
    table(&lines, root.get_ref())
}

/// Parses one value as TOML, as defaults and environment variables are written.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Item> {
    let value = DeValue::parse(text).ok()?;
    let mut item = item(&Lines(""), value.span().start, value.get_ref());
    relocate(&mut item, place);
    Some(item)
}

fn relocate(item: &mut Item, place: &Place) {
    item.place = place.clone();
    match &mut item.value {
        Value::List(list) => list.iter_mut().for_each(|inner| relocate(inner, place)),
        Value::Table(table) => {
            for entry in &mut table.entries {
                entry.place = place.clone();
                relocate(&mut entry.item, place);
            }
        }
        _ => {}
    }
}

struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.0.as_bytes().iter().take(at);
        Place::Line(1 + before.filter(|byte| **byte == b'\n').count())
    }
}

fn table(lines: &Lines<'_>, from: &DeTable<'_>) -> Table {
    let mut entries: Vec<_> = from
        .iter()
        .map(|(key, value)| (key.span().start, key, value))
        .collect();
    entries.sort_by_key(|(at, ..)| *at);
    let entries = entries.into_iter().map(|(at, key, value)| Entry {
        name: key.get_ref().to_string(),
        place: lines.place(at),
        // A table's own span is its header's; an implied one's is empty: the key's is better.
        item: match value.get_ref() {
            DeValue::Table(_) => item(lines, at, value.get_ref()),
            inner => item(lines, value.span().start, inner),
        },
    });
    Table {
        entries: entries.collect(),
    }
}

fn item(lines: &Lines<'_>, at: usize, from: &DeValue<'_>) -> Item {
    let value = match from {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| Value::Other(number.to_string()), Value::Integer)
        }
        DeValue::Float(number) => Value::Other(number.to_string()),
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|inner| item(lines, inner.span().start, inner.get_ref()))
                .collect(),
        ),
        DeValue::Table(inner) => Value::Table(table(lines, inner)),
    };
    Item {
        value,
        place: lines.place(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> (Table, Vec<String>) {
        let mut found = Found::new(Path::new("a.toml"));
        let table = parse(text, &mut found);
        let list = found.into_list().iter().map(ToString::to_string).collect();
        (table, list)
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "a = 1\n\n[b.c]\nd = [\n  true,\n  'x',\n]\n[[e]]\nf = 1\n[[e]]\nf = 2\n";
        let (root, problems) = read(text);
        assert_eq!(problems, Vec::<String>::new());
        for (path, line) in [
            ("a", 1),
            ("b.c", 3),
            ("b.c.missing", 3),
            ("b.c.d", 4),
            ("b.c.d[1]", 6),
            ("e[0]", 8),
            ("e[1]", 10),
            ("e[1].f", 11),
            ("e[1].missing", 10),
        ] {
            let place = root.nearest(path).map(|(item, _)| item.place.clone());
            assert_eq!(place, Some(Place::Line(line)), "{path}");
        }
    }

    #[test]
    fn syntax_errors_are_all_reported_and_the_rest_is_read() {
        let (root, problems) = read("a = \nb = 2\nb = 3\nc = 'ok'\n");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().any(|p| p.starts_with("a.toml:1: not TOML")));
        assert!(problems.iter().any(|p| p.starts_with("a.toml:3: not TOML")));
        assert!(root.get("c").is_some());
    }

    #[test]
    fn credentials_in_a_url_are_not_shown() {
        assert_eq!(shown_text("https://a:b@c/"), "\"https://…@c/\"");
        assert_eq!(shown_text("a@b"), "\"a@b\"");
    }
}
