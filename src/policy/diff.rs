//! `policy diff`: what is otherwise in another policy, row by row.

use super::load::Policy;
use super::portrait::Traits;
use super::row::Row;
use std::collections::BTreeMap;
use std::fmt;

/// One row that only one of the policies has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lone {
    pub rule: String,
    pub effect: String,
    /// The row's `match`.
    pub matching: String,
    pub action: String,
    /// `file:line`.
    pub place: String,
}

/// One row, or other part, that is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// `row`, `scope`, `pack row`, `forbid`, `persisted query`.
    pub kind: String,
    pub name: String,
    pub fields: Vec<Change>,
}

/// What was, and what is. Empty: nothing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    pub field: String,
    pub old: String,
    pub new: String,
}

/// The difference of two policies.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PolicyDiff {
    pub old: String,
    pub new: String,
    pub added: Vec<Lone>,
    pub removed: Vec<Lone>,
    pub changed: Vec<Changed>,
}

impl PolicyDiff {
    /// Whether both decide everything alike, as far as their rows say.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares two policies.
pub fn diff(old: &Policy, new: &Policy) -> PolicyDiff {
    let (before, after) = (rows(old), rows(new));
    let lone = |ours: &BTreeMap<&str, &Row>, theirs: &BTreeMap<&str, &Row>| {
        let only = ours.iter().filter(|(id, _)| !theirs.contains_key(**id));
        only.map(|(_, row)| Lone::of(row)).collect()
    };
    let mut changed = Vec::new();
    for (id, row) in &before {
        let Some(other) = after.get(id) else { continue };
        let fields = changes(&row.traits(old.pack), &other.traits(new.pack));
        if !fields.is_empty() {
            changed.push(Changed {
                kind: "row".to_owned(),
                name: (*id).to_owned(),
                fields,
            });
        }
    }
    changed.extend(parts(old, new));
    PolicyDiff {
        old: old.digest().to_owned(),
        new: new.digest().to_owned(),
        added: lone(&after, &before),
        removed: lone(&before, &after),
        changed,
    }
}

fn rows(policy: &Policy) -> BTreeMap<&str, &Row> {
    policy.rows.iter().map(|row| (&*row.id, row)).collect()
}

fn changes(old: &Traits, new: &Traits) -> Vec<Change> {
    let of = |traits: &Traits, name: &str| {
        let found = traits.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut names: Vec<&str> = old.iter().map(|(name, _)| *name).collect();
    names.extend(new.iter().map(|(name, _)| *name));
    let mut seen = Vec::new();
    names.retain(|name| {
        let is_new = !seen.contains(name);
        seen.push(*name);
        is_new
    });
    let each = names.into_iter().map(|name| Change {
        field: name.to_owned(),
        old: of(old, name),
        new: of(new, name),
    });
    each.filter(|change| change.old != change.new).collect()
}

fn parts(old: &Policy, new: &Policy) -> Vec<Changed> {
    let (before, after) = (old.parts(), new.parts());
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let each = keys.into_iter().map(|key| {
        let of = |parts: &BTreeMap<_, String>| parts.get(key).cloned().unwrap_or_default();
        Changed {
            kind: key.0.to_owned(),
            name: key.1.clone(),
            fields: vec![Change {
                field: String::new(),
                old: of(&before),
                new: of(&after),
            }],
        }
    });
    each.filter(|it| it.fields.iter().any(|one| one.old != one.new))
        .collect()
}

impl Lone {
    fn of(row: &Row) -> Self {
        Self {
            rule: row.id.to_string(),
            effect: row.effect.name().to_owned(),
            matching: row.written.to_string(),
            action: row.action.to_string(),
            place: format!("{}:{}", row.file, row.line),
        }
    }
}

impl fmt::Display for PolicyDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, rows) in [('+', &self.added), ('-', &self.removed)] {
            for row in rows {
                writeln!(
                    f,
                    "{sign} {:<9} {:<24} {:<34} {}  [{}]",
                    row.effect, row.rule, row.matching, row.action, row.place
                )?;
            }
        }
        for part in &self.changed {
            let said = |text: &str| {
                if text.is_empty() {
                    "–".to_owned()
                } else {
                    text.to_owned()
                }
            };
            writeln!(f, "~ {} {}", part.kind, part.name)?;
            for change in &part.fields {
                let name = if change.field.is_empty() {
                    String::new()
                } else {
                    format!("{}: ", change.field)
                };
                writeln!(f, "    {name}{} → {}", said(&change.old), said(&change.new))?;
            }
        }
        if self.is_empty() {
            writeln!(f, "the rows are the same")?;
        }
        write!(
            f,
            "{} added, {} removed, {} changed",
            self.added.len(),
            self.removed.len(),
            self.changed.len()
        )
    }
}
