//! Which of some records have the words that are looked for: the one place that says what it is to have them.
//!
//! A table in memory, made like the index's own but with the places of words, takes the records' texts and is asked.
//! The index itself only knows which words occur somewhere in a block: each of them must, to look there at all.

use rusqlite::{Connection, params};
use std::collections::HashSet;

/// Words that must stand together, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    /// Whether the last one may be but a beginning.
    pub(super) is_beginning: bool,
}

pub(super) struct Said {
    sql: Connection,
    /// All rows of words.
    rows: String,
    /// Each word alone.
    words: String,
    /// The words, in lower case as the table has them.
    plain: Vec<Vec<u8>>,
}

const SCHEMA: &str = "
CREATE VIRTUAL TABLE records USING fts5(said, content='', columnsize=0,
    tokenize=\"unicode61 remove_diacritics 0\");
CREATE VIRTUAL TABLE words USING fts5vocab(records, 'instance');
";

const FORGET: &str = "INSERT INTO records (records) VALUES ('delete-all')";

impl Said {
    pub(super) fn new(rows: &[Row]) -> rusqlite::Result<Self> {
        let sql = Connection::open_in_memory()?;
        sql.execute_batch(SCHEMA)?;
        let mut said = Self {
            sql,
            rows: all(rows.iter().map(|row| quoted(&row.text, row.is_beginning))),
            words: String::new(),
            plain: Vec::new(),
        };
        let mut words = Vec::new();
        for row in rows {
            let each = said.split(&row.text)?;
            let last = each.len().saturating_sub(1);
            let is_beginning = |at| row.is_beginning && at == last;
            words.extend(
                each.iter()
                    .enumerate()
                    .map(|(at, word)| quoted(word, is_beginning(at))),
            );
            if each.is_empty() {
                // Nothing has a row of no words.
                words.push(quoted(&row.text, row.is_beginning));
            }
            said.plain.extend(each.into_iter().map(String::into_bytes));
        }
        said.words = all(words.into_iter());
        Ok(said)
    }

    /// A text's words, as the table tells them apart.
    fn split(&self, text: &str) -> rusqlite::Result<Vec<String>> {
        self.add(0, text)?;
        let mut words = self
            .sql
            .prepare_cached("SELECT term FROM words ORDER BY \"offset\"")?;
        let words: rusqlite::Result<_> = words.query_map([], |row| row.get(0))?.collect();
        self.sql.execute(FORGET, [])?;
        words
    }

    fn add(&self, number: i64, text: &str) -> rusqlite::Result<()> {
        let mut add = self
            .sql
            .prepare_cached("INSERT INTO records (rowid, said) VALUES (?1, ?2)")?;
        add.execute(params![number, text]).map(|_| ())
    }

    /// What a block must have for any of its records to have the words.
    pub(super) fn expression(&self) -> &str {
        &self.words
    }

    /// Whether it may be worth to read the line: what has no escape is written as it is said.
    pub(super) fn may_be_in(&self, line: &[u8]) -> bool {
        if !line.is_ascii() || line.contains(&b'\\') {
            return true;
        }
        let line = line.to_ascii_lowercase();
        self.plain
            .iter()
            .all(|word| memchr::memmem::find(&line, word).is_some())
    }

    /// The numbers of the texts that have the words.
    pub(super) fn those(
        &self,
        texts: impl Iterator<Item = (i64, String)>,
    ) -> rusqlite::Result<HashSet<i64>> {
        for (number, text) in texts {
            self.add(number, &text)?;
        }
        let mut those = self
            .sql
            .prepare_cached("SELECT rowid FROM records WHERE records MATCH ?1")?;
        let those: rusqlite::Result<_> = those.query_map([&self.rows], |row| row.get(0))?.collect();
        self.sql.execute(FORGET, [])?;
        those
    }
}

/// <https://www.sqlite.org/fts5.html#full_text_query_syntax>
fn quoted(text: &str, is_beginning: bool) -> String {
    let star = if is_beginning { "*" } else { "" };
    format!("\"{}\"{star}", text.replace('"', "\"\""))
}

fn all(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[(&str, bool)]) -> Said {
        let row = |(text, is_beginning): &(&str, bool)| Row {
            text: (*text).to_owned(),
            is_beginning: *is_beginning,
        };
        let rows: Vec<Row> = texts.iter().map(row).collect();
        Said::new(&rows).expect("table")
    }

    #[test]
    fn words_stand_together_and_all_in_one_record() {
        let texts = ["Orders 17 lost", "17 orders", "lost", "order/17"];
        for (wanted, expected) in [
            (vec![("orders/17", false)], vec![0]),
            (vec![("orders", false), ("17", false)], vec![0, 1]),
            (vec![("ord", true)], vec![0, 1, 3]),
            (vec![("17/lo", true)], vec![0]),
            (vec![("lost", false), ("order", false)], vec![]),
            (vec![("\u{2026}", false)], vec![]),
        ] {
            let said = rows(&wanted);
            for _ in 0..2 {
                let all = (0..).zip(texts.map(str::to_owned));
                let those = said.those(all).expect("told");
                assert_eq!(those, expected.iter().copied().collect(), "{wanted:?}");
            }
        }
        assert_eq!(
            rows(&[("Orders/17", false), ("LO", true)]).expression(),
            "\"orders\" AND \"17\" AND \"lo\"*"
        );
    }

    /// A block is asked for words as the table tells them apart: they must be the same words again.
    #[test]
    fn a_word_is_told_as_itself() {
        let said = rows(&[]);
        let all: String = ('\0'..=char::MAX).flat_map(|c| [c, ' ']).collect();
        let words = said.split(&all).expect("words");
        assert!(words.len() > 100_000);
        assert_eq!(said.split(&words.join(" ")).expect("words"), words);
    }

    #[test]
    fn a_line_without_the_words_need_not_be_read() {
        let said = rows(&[("Orders/17", false)]);
        assert!(said.may_be_in(br#"{"a":"ORDERS","b":"17"}"#));
        assert!(!said.may_be_in(br#"{"a":"ORDERS"}"#));
        assert!(
            said.may_be_in(br#"{"a":"\u004frders"}"#),
            "an escape may be anything"
        );
        assert!(
            said.may_be_in("{\"a\":\"\u{212a}\"}".as_bytes()),
            "as may be what is no ASCII"
        );
    }
}
