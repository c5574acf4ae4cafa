//! What is looked for, and what of it the index is asked.

use super::facts::{Field, Tag, is_private};
use super::said::Row;
use super::wanted::Wanted;
use crate::model::{Reach, Timestamp};
use serde_json::Value;
use std::fmt;

/// The shortest beginning of a word that may be looked for (`ord*`): a shorter one would gather half of all words.
const SHORTEST_BEGINNING: usize = 3;

/// Most words and values in one query.
const MOST: usize = 64;

/// Which records come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

/// What somebody may see: these tenants in these apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub tenants: Reach,
    pub apps: Reach,
}

/// What is looked for. All conditions must hold; of several values of one field, any.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub fields: Vec<(Field, String)>,
    /// Words that must all occur; `ord*` is a beginning, `/orders/17` a row of words.
    pub text: String,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    pub order: Order,
    /// The last sequence number of the page before.
    pub after: Option<u64>,
    /// Most records of one page.
    pub limit: usize,
    /// Only records that one of these reaches; `None`: all records.
    pub reached: Option<Vec<Reached>>,
}

/// Why a query cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// `text`, or a field's name.
    pub field: &'static str,
    pub why: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

impl std::error::Error for Unfit {}

impl Query {
    /// All conditions in one line, for the record of the search.
    pub fn told(&self) -> String {
        let mut out = Vec::new();
        for (field, value) in &self.fields {
            out.push(format!("{}={value}", field.name()));
        }
        for (name, at) in [("from", self.since), ("to", self.until)] {
            out.extend(at.map(|at| format!("{name}={at}")));
        }
        if !self.text.trim().is_empty() {
            out.push(format!("text={}", self.text.trim()));
        }
        if self.order == Order::Oldest {
            out.push("oldest first".to_owned());
        }
        out.extend(self.after.map(|after| format!("after={after}")));
        if out.is_empty() {
            return "everything".to_owned();
        }
        out.join(", ")
    }

    /// Adds a condition, unless the value is empty.
    pub fn with(mut self, field: Field, value: &str) -> Self {
        if !value.is_empty() {
            self.fields.push((field, value.to_owned()));
        }
        self
    }

    /// Whether it names nothing that only some records have.
    pub fn is_open(&self) -> bool {
        self.fields.is_empty()
            && self.text.trim().is_empty()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// The tags that a record must have.
    pub(super) fn tags(&self) -> Result<Wanted, Unfit> {
        let mut all = Vec::new();
        for field in Field::ALL {
            let wanted = self.fields.iter().filter(|(it, _)| *it == field);
            let any: Vec<Wanted> = wanted.map(|(_, value)| tag(field, value)).collect();
            if any.len() > MOST {
                return Err(Unfit {
                    field: field.name(),
                    why: format!("names more than {MOST} values"),
                });
            }
            if !any.is_empty() {
                all.push(Wanted::Any(any));
            }
        }
        if let Some(reached) = &self.reached {
            let is_free = |it: &Reached| it.tenants == Reach::All && it.apps == Reach::All;
            if !reached.iter().any(is_free) {
                all.push(Wanted::Any(reached.iter().map(seat).collect()));
            }
        }
        Ok(Wanted::All(all))
    }

    /// Whether the record itself is what was looked for, words aside; whom it may be shown to is decided here.
    pub(super) fn takes(&self, record: &Value) -> bool {
        let time = record.get("time").and_then(Value::as_i64).unwrap_or(0);
        let fits = |field: Field| {
            let mut wanted = self.fields.iter().filter(|(it, _)| *it == field).peekable();
            wanted.peek().is_none() || wanted.any(|(_, value)| field.is(record, value))
        };
        self.since.is_none_or(|since| time >= since.millis())
            && self.until.is_none_or(|until| time < until.millis())
            && Field::ALL.into_iter().all(fits)
            && self.reaches(record)
    }

    /// Exactly: tenants that differ in case alone are two.
    fn reaches(&self, record: &Value) -> bool {
        let covers = |reach: &Reach, field: Field| match reach {
            Reach::All => true,
            Reach::Only(_) => {
                let mut values = field.values(record).peekable();
                values.peek().is_some() && values.all(|value| reach.covers(value))
            }
        };
        self.reached.as_ref().is_none_or(|seats| {
            seats
                .iter()
                .any(|seat| covers(&seat.tenants, Field::Tenant) && covers(&seat.apps, Field::App))
        })
    }
}

fn tag(field: Field, value: &str) -> Wanted {
    Wanted::Tag(Tag::new(field, &value.to_lowercase()))
}

/// What one seat reaches.
fn seat(reached: &Reached) -> Wanted {
    let part = |reach: &Reach, field: Field| match reach {
        Reach::All => Wanted::All(Vec::new()),
        Reach::Only(names) => Wanted::Any(names.iter().map(|it| tag(field, it)).collect()),
    };
    Wanted::All(vec![
        part(&reached.tenants, Field::Tenant),
        part(&reached.apps, Field::App),
    ])
}

/// Each piece between blanks as a row of words that stand together.
pub(super) fn words(text: &str) -> Result<Vec<Row>, Unfit> {
    let unfit = |why: String| Unfit { field: "text", why };
    let mut out = Vec::new();
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    for piece in text.split(is_blank).filter(|piece| !piece.is_empty()) {
        let clean: String = piece.chars().filter(|c| !is_private(*c)).collect();
        let (clean, is_beginning) = match clean.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (clean.as_str(), false),
        };
        if !clean.chars().any(char::is_alphanumeric) {
            return Err(unfit(format!(
                "{piece:?} has no letter or digit to look for"
            )));
        }
        let last = clean.rsplit(|c: char| !c.is_alphanumeric()).next();
        let length = last.unwrap_or_default().chars().count();
        if is_beginning && length < SHORTEST_BEGINNING {
            return Err(unfit(format!(
                "{piece:?} is too short a beginning: write at least {SHORTEST_BEGINNING} characters before *"
            )));
        }
        out.push(Row {
            text: clean.to_owned(),
            is_beginning,
        });
    }
    if out.len() > MOST {
        return Err(unfit(format!("has more than {MOST} words")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_taken_apart_and_beginnings_have_a_length() {
        let told = |text: &str| words(text).map_err(|unfit| unfit.why);
        let row = |text: &str, is_beginning| Row {
            text: text.to_owned(),
            is_beginning,
        };
        assert_eq!(
            told("/orders/17 OR \"x ord*"),
            Ok(vec![
                row("/orders/17", false),
                row("OR", false),
                row("\"x", false),
                row("ord", true)
            ])
        );
        assert!(told("or*").is_err() && told("-").is_err() && told("*").is_err());
        assert_eq!(told(" \0"), Ok(Vec::new()));
        assert_eq!(told("a\0b").map(|rows| rows.len()), Ok(2));
    }

    #[test]
    fn a_seat_reaches_its_tenants_in_its_apps_exactly() {
        let of = |tenant: &str, app: &str| json!({ "locum": { "tenant_id": tenant, "app": app } });
        let only = |names: &[&str]| Reach::Only(names.iter().map(|it| (*it).to_owned()).collect());
        let query = Query {
            reached: Some(vec![
                Reached {
                    tenants: only(&["acme"]),
                    apps: Reach::All,
                },
                Reached {
                    tenants: Reach::All,
                    apps: only(&["docs"]),
                },
            ]),
            ..Query::default()
        };
        assert!(query.takes(&of("acme", "shop")) && query.takes(&of("globex", "docs")));
        assert!(!query.takes(&of("globex", "shop")) && !query.takes(&of("ACME", "shop")));
        assert!(
            !query.takes(&json!({ "locum": {} })),
            "what is nobody's is not theirs"
        );
        let nobody = Query {
            reached: Some(Vec::new()),
            ..Query::default()
        };
        assert!(!nobody.takes(&of("acme", "shop")));
        assert!(!nobody.tags().expect("fit").is_anything());
        assert!(Query::default().tags().expect("fit").is_anything());
    }
}
