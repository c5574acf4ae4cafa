//! JSON bodies, read so that no other parser can have read them otherwise: unique keys, one document.

use super::field_rule::FieldRule;
pub(super) use super::form::Ambiguous;
use super::values::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Why a JSON text cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unjudged {
    Malformed,
    /// A key twice in one object.
    Duplicate,
}

/// A JSON value with its objects as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// The documents of one body: one, or the elements of a list (a batch).
#[derive(Debug)]
pub(super) struct Documents(Vec<Node>);

impl Documents {
    /// Reads a body. `serde_json` bounds the nesting at 128.
    pub(super) fn read(text: &[u8]) -> Result<Self, Unjudged> {
        let node: Node = serde_json::from_slice(text).map_err(|_| Unjudged::Malformed)?;
        if node.has_duplicates() {
            return Err(Unjudged::Duplicate);
        }
        Ok(Self(match node {
            Node::List(nodes) => nodes,
            one => vec![one],
        }))
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// Whether `rules` all hold in some document, as a deny row asks.
    pub(super) fn any(&self, rules: &[FieldRule]) -> Result<bool, Ambiguous> {
        for node in &self.0 {
            if holds(node, rules, true)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `rules` all hold in every document, as an allow row asks. An empty batch holds nothing.
    pub(super) fn every(&self, rules: &[FieldRule]) -> Result<bool, Ambiguous> {
        for node in &self.0 {
            if !holds(node, rules, false)? {
                return Ok(false);
            }
        }
        Ok(!self.0.is_empty())
    }
}

fn holds(node: &Node, rules: &[FieldRule], deny: bool) -> Result<bool, Ambiguous> {
    for rule in rules {
        if !field(node, &rule.path, &rule.value, deny)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `*` as a step means each element or member: one must match to deny, all to allow.
fn field(node: &Node, path: &[Box<str>], value: &Value, deny: bool) -> Result<bool, Ambiguous> {
    let Some((step, below)) = path.split_first() else {
        return Ok(node.matches(value, deny));
    };
    if **step != *"*" {
        return match node.get(step)? {
            Some(child) => field(child, below, value, deny),
            None => Ok(false),
        };
    }
    let children: Vec<&Node> = match node {
        Node::List(nodes) => nodes.iter().collect(),
        Node::Object(members) => members.iter().map(|(_, child)| child).collect(),
        _ => return Ok(false),
    };
    for child in &children {
        if field(child, below, value, deny)? == deny {
            return Ok(deny);
        }
    }
    Ok(!deny && !children.is_empty())
}

impl Node {
    /// The member `name`. A member whose name differs only in case is ambiguous: some decoders take it.
    pub(super) fn get(&self, name: &str) -> Result<Option<&Self>, Ambiguous> {
        let Self::Object(members) = self else {
            return Ok(None);
        };
        let mut found = None;
        for (known, child) in members {
            if known == name {
                found = Some(child);
            } else if known.eq_ignore_ascii_case(name) {
                return Err(Ambiguous);
            }
        }
        Ok(found)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn matches(&self, value: &Value, deny: bool) -> bool {
        match self {
            Self::Text(text) => value.matches(text, deny),
            Self::Number(number) => value.matches_number(number, deny),
            Self::Bool(flag) => value.matches(if *flag { "true" } else { "false" }, deny),
            Self::Null => value.matches("null", deny),
            Self::Object(_) => value.is_any(),
            Self::List(nodes) => {
                value.is_any() || (deny && nodes.iter().any(|node| node.matches(value, deny)))
            }
        }
    }

    fn has_duplicates(&self) -> bool {
        match self {
            Self::List(nodes) => nodes.iter().any(Self::has_duplicates),
            Self::Object(members) => {
                let mut seen = HashSet::with_capacity(members.len());
                members
                    .iter()
                    .any(|(name, child)| !seen.insert(name) || child.has_duplicates())
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Node, E> {
        serde_json::Number::from_f64(number)
            .map(Node::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(path: &str, value: &str) -> Vec<FieldRule> {
        vec![FieldRule::new(path, Value::new(vec![value.into()]), true)]
    }

    fn some(text: &str, path: &str, value: &str) -> Result<bool, Ambiguous> {
        Documents::read(text.as_bytes()).map_or(Err(Ambiguous), |d| d.any(&rule(path, value)))
    }

    fn every(text: &str, path: &str, value: &str) -> Result<bool, Ambiguous> {
        Documents::read(text.as_bytes()).map_or(Err(Ambiguous), |d| d.every(&rule(path, value)))
    }

    #[test]
    fn fields_by_path() {
        assert_eq!(some(r#"{"a":{"b":"x"}}"#, "a.b", "X"), Ok(true));
        assert_eq!(every(r#"{"a":{"b":"x"}}"#, "a.b", "X"), Ok(false));
        assert_eq!(some(r#"{"a":[{"b":1},{"b":2}]}"#, "a.*.b", "2"), Ok(true));
        assert_eq!(every(r#"{"a":[{"b":1},{"b":2}]}"#, "a.*.b", "2"), Ok(false));
        assert_eq!(some(r#"{"a":true}"#, "a", "true"), Ok(true));
        assert_eq!(some(r#"{"type":["refund"]}"#, "type", "refund"), Ok(true));
    }

    #[test]
    fn a_batch_is_many_documents() {
        assert_eq!(some(r#"[{"m":"x"},{"m":"y"}]"#, "m", "y"), Ok(true));
        assert_eq!(every(r#"[{"m":"x"},{"m":"y"}]"#, "m", "y"), Ok(false));
        assert_eq!(every("[]", "m", "y"), Ok(false));
    }

    #[test]
    fn what_reads_two_ways_is_not_judged() {
        assert_eq!(
            Documents::read(br#"{"a":1,"a":2}"#).err(),
            Some(Unjudged::Duplicate)
        );
        assert_eq!(
            Documents::read(br#"{"a":1,"\u0061":2}"#).err(),
            Some(Unjudged::Duplicate)
        );
        for bad in [
            &b""[..],
            b"{",
            b"{} {}",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"{'a':1}",
        ] {
            assert_eq!(Documents::read(bad).err(), Some(Unjudged::Malformed));
        }
        assert_eq!(
            Documents::read("[".repeat(500).as_bytes()).err(),
            Some(Unjudged::Malformed)
        );
        assert_eq!(
            some(r#"{"Type":"refund"}"#, "type", "refund"),
            Err(Ambiguous)
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(documents) = Documents::read(&text) {
                let _ = documents.any(&rule("a.*", "x"));
            }
        }
    }
}
