//! The tags that a record must have: as an expression for the full-text table, and as bits for the records of a block.

use super::facts::Tag;

/// A condition on a record's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Tag(Tag),
    /// All of these; none of them holds always.
    All(Vec<Wanted>),
    /// Any of these; none of them holds never.
    Any(Vec<Wanted>),
}

impl Wanted {
    /// Whether every record has it.
    pub(super) fn is_anything(&self) -> bool {
        match self {
            Self::Tag(_) => false,
            Self::All(all) => all.iter().all(Self::is_anything),
            Self::Any(any) => any.iter().any(Self::is_anything),
        }
    }

    /// For the full-text table; not for what [`Self::is_anything`].
    /// <https://www.sqlite.org/fts5.html#full_text_query_syntax>
    pub(super) fn expression(&self) -> String {
        let (several, between) = match self {
            Self::Tag(tag) => {
                let mut quoted = String::from("\"");
                tag.write(&mut quoted);
                quoted.push('"');
                return quoted;
            }
            Self::All(all) => (all, " AND "),
            Self::Any(any) => (any, " OR "),
        };
        let parts = several.iter().filter(|it| !it.is_anything());
        let parts: Vec<String> = parts.map(Self::expression).collect();
        if parts.is_empty() {
            // A row of no words: nothing has it.
            return "\"\"".to_owned();
        }
        format!("({})", parts.join(between))
    }

    /// The records for which it holds, of those that `having` says have a tag.
    pub(super) fn records(&self, having: &dyn Fn(Tag) -> u64) -> u64 {
        match self {
            Self::Tag(tag) => having(*tag),
            Self::All(all) => all
                .iter()
                .fold(u64::MAX, |bits, it| bits & it.records(having)),
            Self::Any(any) => any.iter().fold(0, |bits, it| bits | it.records(having)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_all_or_any() {
        let tag = |number| Wanted::Tag(Tag(number));
        let having = |tag: Tag| [0b1111, 0b0011, 0b0101][usize::try_from(tag.0).expect("small")];
        let any = Wanted::Any(vec![tag(1), tag(2)]);
        for (wanted, expected) in [
            (tag(1), 0b0011),
            (any.clone(), 0b0111),
            (Wanted::All(vec![tag(1), tag(2)]), 0b0001),
            (Wanted::All(vec![any, tag(2), tag(0)]), 0b0101),
            (Wanted::All(Vec::new()), u64::MAX),
            (Wanted::Any(Vec::new()), 0),
        ] {
            assert_eq!(wanted.records(&having), expected, "{wanted:?}");
        }
    }
}
