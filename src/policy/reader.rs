//! Reads TOML tables key by key, so that every mistake of a file is found at once and by its line.

use super::problem::Problem;
use std::cell::RefCell;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One file and what is wrong with it so far.
pub(super) struct Sheet<'s> {
    pub(super) file: &'s str,
    text: &'s str,
    problems: RefCell<Vec<Problem>>,
}

impl<'s> Sheet<'s> {
    pub(super) fn new(file: &'s str, text: &'s str) -> Self {
        Self {
            file,
            text,
            problems: RefCell::default(),
        }
    }

    /// Parses the file; syntax errors become problems and the rest is still read.
    pub(super) fn parse(&self) -> DeTable<'s> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().unwrap_or(0..0);
            self.fault(at, "", error.message(), "Mend the TOML syntax here");
        }
        table.into_inner()
    }

    /// From 1.
    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        1 + memchr::memchr_iter(b'\n', before).count()
    }

    pub(super) fn fault(
        &self,
        at: Range<usize>,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line: self.line(&at),
            key: key.to_owned(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// One table of a file. Each key asked for is known; [`Keys::done`] refuses all others.
pub(super) struct Keys<'k, 's> {
    pub(super) sheet: &'k Sheet<'s>,
    table: &'k DeTable<'s>,
    pub(super) at: Range<usize>,
    /// What stands before the keys in messages: `rows`.
    name: &'static str,
    known: RefCell<Vec<&'static str>>,
}

/// A text with its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'k> {
    pub(super) text: &'k str,
    pub(super) at: Range<usize>,
}

impl<'k, 's> Keys<'k, 's> {
    pub(super) fn new(
        sheet: &'k Sheet<'s>,
        table: &'k DeTable<'s>,
        at: Range<usize>,
        name: &'static str,
    ) -> Self {
        Self {
            sheet,
            table,
            at,
            name,
            known: RefCell::default(),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    /// A problem with the value of `key`.
    pub(super) fn fault(
        &self,
        at: Range<usize>,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.sheet.fault(at, &self.path(key), what, remedy);
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'k Spanned<DeValue<'s>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    fn typed<T>(
        &self,
        key: &'static str,
        kind: &str,
        read: impl Fn(&'k DeValue<'s>) -> Option<T>,
    ) -> Option<(T, Range<usize>)> {
        let value = self.value(key)?;
        let Some(found) = read(value.get_ref()) else {
            let what = format!("is {}, not {kind}", article(value.get_ref().type_str()));
            self.fault(value.span(), key, what, format!("Write {kind}"));
            return None;
        };
        Some((found, value.span()))
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Text<'k>> {
        let (text, at) = self.typed(key, "a string", DeValue::as_str)?;
        Some(Text { text, at })
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &'static str, remedy: &str) -> Option<Text<'k>> {
        if self.table.get(key).is_none() {
            self.known.borrow_mut().push(key);
            self.fault(self.at.clone(), key, "is missing", remedy);
            return None;
        }
        self.text(key)
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        self.typed(key, "true or false", DeValue::as_bool)
            .is_some_and(|(flag, _)| flag)
    }

    pub(super) fn number(&self, key: &'static str) -> Option<i64> {
        let read = |value: &DeValue<'_>| {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()
        };
        self.typed(key, "a whole number", read)
            .map(|(number, _)| number)
    }

    /// A number from `least` upwards.
    pub(super) fn count(&self, key: &'static str, least: i64) -> Option<usize> {
        let number = self.number(key)?;
        let fits = usize::try_from(number).ok().filter(|_| number >= least);
        if fits.is_none() {
            let at = self
                .table
                .get(key)
                .map_or_else(|| self.at.clone(), Spanned::span);
            self.fault(
                at,
                key,
                format!("{number} is below {least}"),
                format!("Write a number from {least} up"),
            );
        }
        fits
    }

    pub(super) fn table(&self, key: &'static str) -> Option<(&'k DeTable<'s>, Range<usize>)> {
        self.typed(key, "a table", DeValue::as_table)
    }

    /// A list of strings; empty where the key is not there.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Text<'k>> {
        let Some((list, _)) = self.typed(key, "a list of strings", DeValue::as_array) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in list {
            match value.get_ref().as_str() {
                Some(text) => texts.push(Text {
                    text,
                    at: value.span(),
                }),
                None => self.fault(
                    value.span(),
                    key,
                    "has an element that is no string",
                    "Put it in quotes",
                ),
            }
        }
        texts
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<(&'k DeTable<'s>, Range<usize>)> {
        let kind = "a list of tables";
        let Some((list, _)) = self.typed(key, kind, DeValue::as_array) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in list {
            match value.get_ref().as_table() {
                Some(table) => tables.push((table, value.span())),
                None => self.fault(
                    value.span(),
                    key,
                    "has an element that is no table",
                    format!("Write [[{key}]]"),
                ),
            }
        }
        tables
    }

    /// Refuses every key that was not asked for.
    pub(super) fn done(&self) {
        let known = self.known.borrow();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let near = known
                .iter()
                .min_by_key(|candidate| distance(candidate, name));
            let remedy = match near.filter(|candidate| distance(candidate, name) <= 2) {
                Some(candidate) => format!("Did you mean {candidate:?}?"),
                None => format!("Remove it; the keys here are {}", known.join(", ")),
            };
            self.fault(key.span(), name, "is no known key", remedy);
        }
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// Levenshtein's distance.
fn distance(one: &str, two: &str) -> usize {
    let mut row: Vec<usize> = (0..=two.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in two.chars().enumerate() {
            let change = row.get(j).copied().unwrap_or_default() + usize::from(a != b);
            let drop = row.get(j + 1).copied().unwrap_or_default() + 1;
            let add = next.last().copied().unwrap_or_default() + 1;
            next.push(change.min(drop).min(add));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_found_with_its_line() {
        let text = "a = 1\nmesage = \"x\"\n\nzzz = 2\nflag = \"no\"\n";
        let sheet = Sheet::new("f.toml", text);
        let table = sheet.parse();
        let keys = Keys::new(&sheet, &table, 0..0, "rows");
        assert!(keys.text("a").is_none());
        assert!(keys.text("message").is_none());
        assert!(!keys.flag("flag"));
        keys.done();
        drop(keys);
        let found: Vec<(usize, String)> = sheet
            .into_problems()
            .into_iter()
            .map(|p| (p.line, p.remedy))
            .collect();
        assert!(found.contains(&(1, "Write a string".to_owned())));
        assert!(found.contains(&(2, "Did you mean \"message\"?".to_owned())));
        assert!(found.iter().any(|(line, _)| *line == 4));
        assert!(found.contains(&(5, "Write true or false".to_owned())));
    }
}
