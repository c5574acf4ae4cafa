//! All that decides who may do what, as names and texts under a few headings; so that two states can be compared by one
//! digest, and their difference told in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Headings, each with the texts of its things by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Manifest(BTreeMap<String, BTreeMap<String, String>>);

/// How two manifests differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Headings under which something differs.
    pub kinds: Vec<String>,
    /// A line for each thing.
    pub lines: Vec<String>,
}

/// Lines told of one difference; the rest is counted.
const MAX_LINES: usize = 60;
/// Characters told of one text.
const MAX_TEXT: usize = 160;

impl Manifest {
    /// Adds a thing. The same name twice under one heading: the later text stands.
    pub fn put(&mut self, kind: &str, name: impl Into<String>, text: impl Into<String>) {
        let things = self.0.entry(kind.to_owned()).or_default();
        things.insert(name.into(), text.into());
    }

    /// SHA-256 (hex) over every heading, name and text, each with its length before it.
    pub fn digest(&self) -> String {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut update = |part: &str| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        };
        for (kind, things) in &self.0 {
            for (name, text) in things {
                update(kind);
                update(name);
                update(text);
            }
        }
        let hash = context.finish();
        hash.as_ref()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// What is otherwise in `new`.
    pub fn differs(&self, new: &Self) -> Difference {
        let mut out = Difference::default();
        let mut more = 0_usize;
        let none = BTreeMap::new();
        for kind in union(&self.0, &new.0) {
            let old = self.0.get(kind).unwrap_or(&none);
            let new = new.0.get(kind).unwrap_or(&none);
            if old == new {
                continue;
            }
            out.kinds.push(kind.clone());
            for name in union(old, new) {
                let line = match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) if old == new => continue,
                    (Some(old), Some(new)) => format!("{name}: {} → {}", short(old), short(new)),
                    (None, Some(new)) => format!("{name}: new, {}", short(new)),
                    (Some(old), None) => format!("{name}: gone, was {}", short(old)),
                    (None, None) => continue,
                };
                if out.lines.len() < MAX_LINES {
                    out.lines.push(format!("{kind}: {line}"));
                } else {
                    more += 1;
                }
            }
        }
        if more > 0 {
            out.lines.push(format!("and {more} more"));
        }
        out
    }
}

fn union<'a, T>(
    one: &'a BTreeMap<String, T>,
    other: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

/// On one line, cut at a character.
fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    let mut out: String = letters.by_ref().take(MAX_TEXT).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(things: &[(&str, &str, &str)]) -> Manifest {
        let mut made = Manifest::default();
        for (kind, name, text) in things {
            made.put(kind, *name, *text);
        }
        made
    }

    #[test]
    fn any_edit_makes_another_digest_and_is_told() {
        let before = manifest(&[
            ("roles", "roles[0].group", "\"support\""),
            ("route-policy", "orders.read", "allow GET /orders"),
        ]);
        let cases = [
            (
                manifest(&[
                    ("roles", "roles[0].group", "\"everybody\""),
                    ("route-policy", "orders.read", "allow GET /orders"),
                ]),
                "roles",
                "roles: roles[0].group: \"support\" → \"everybody\"",
            ),
            (
                manifest(&[
                    ("roles", "roles[0].group", "\"support\""),
                    ("route-policy", "orders.read", "allow GET /orders"),
                    ("route-policy", "orders.all", "allow * /orders/**"),
                ]),
                "route-policy",
                "route-policy: orders.all: new, allow * /orders/**",
            ),
            (
                manifest(&[("route-policy", "orders.read", "allow GET /orders")]),
                "roles",
                "roles: roles[0].group: gone, was \"support\"",
            ),
        ];
        assert_eq!(before.digest(), before.clone().digest());
        for (after, kind, line) in cases {
            assert_ne!(after.digest(), before.digest(), "{line}");
            let told = before.differs(&after);
            assert_eq!(
                (told.kinds, told.lines),
                (vec![kind.into()], vec![line.into()])
            );
        }
    }

    #[test]
    fn names_and_texts_cannot_pass_for_each_other() {
        let one = manifest(&[("a", "b", "c")]);
        for other in [
            manifest(&[("ab", "", "c")]),
            manifest(&[("a", "bc", "")]),
            manifest(&[("a", "", "bc")]),
        ] {
            assert_ne!(one.digest(), other.digest());
        }
    }

    #[test]
    fn a_long_difference_is_counted() {
        let mut after = Manifest::default();
        for n in 0..100 {
            after.put("route-policy", format!("row-{n:03}"), "x".repeat(500));
        }
        let told = Manifest::default().differs(&after);
        assert_eq!(told.lines.len(), MAX_LINES + 1);
        assert_eq!(told.lines.last().map(String::as_str), Some("and 40 more"));
        assert!(told.lines.iter().all(|line| line.chars().count() < 220));
    }
}
