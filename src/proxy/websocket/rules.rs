//! What a route lets a client send.

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Which way data may flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both ways.
    #[default]
    Allow,
    /// The client's data frames are refused. Its control frames pass: without pong and close no connection lives.
    ReceiveOnly,
}

/// A client's text message is refused if it is JSON and the value at `path` is one of `values`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    /// Names of members, outermost first. An array is looked into, each of its elements.
    pub path: Vec<String>,
    /// Strings are compared as they are; numbers, booleans and null by their JSON text. Empty: any value.
    pub values: Vec<String>,
    /// The policy row that says so, for the record.
    pub rule: String,
}

/// The rules for one WebSocket. Limits apply to the client's messages, not to the upstream's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub mode: Mode,
    /// Bytes in one message, all fragments together. 0: no limit, unless `deny` needs to hold messages.
    pub max_message: usize,
    /// Messages in any one second. 0: no limit.
    pub max_rate: u32,
    pub deny: Vec<FieldMatch>,
}

impl Rules {
    /// Whether the client's frames have to be read. If not, bytes are copied.
    pub fn inspect(&self) -> bool {
        self.mode == Mode::ReceiveOnly
            || self.max_message > 0
            || self.max_rate > 0
            || !self.deny.is_empty()
    }

    /// The row that denies this message, if any does. What is not JSON matches no field, but a text message
    /// that starts as JSON and cannot be read to its end is denied: who reads it more leniently may find the field.
    pub(super) fn denying(&self, message: &[u8], is_text: bool) -> Option<&FieldMatch> {
        // Some protocols put digits or a letter before the JSON (Socket.IO, `SockJS`).
        let start = message.iter().position(|byte| b"{[".contains(byte))?;
        let start = if is_text {
            start
        } else {
            message.len() - message.trim_ascii_start().len()
        };
        let json = message.get(start..).unwrap_or_default();
        self.deny.iter().find(|rule| {
            let mut reader = serde_json::Deserializer::from_slice(json);
            let found = Finder(rule, &rule.path).deserialize(&mut reader);
            found.unwrap_or(is_text)
        })
    }
}

impl FieldMatch {
    fn is_one_of(&self, value: &str) -> bool {
        self.values.is_empty() || self.values.iter().any(|wanted| wanted == value)
    }
}

/// Walks JSON for one match. A walk and not a tree, since of a member that is there twice a tree keeps one, and
/// parsers differ in which.
#[derive(Clone, Copy)]
struct Finder<'r>(&'r FieldMatch, &'r [String]);

impl Finder<'_> {
    fn is_scalar(self, value: &str) -> bool {
        self.1.is_empty() && self.0.is_one_of(value)
    }
}

impl<'de> DeserializeSeed<'de> for Finder<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Finder<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.is_scalar(if value { "true" } else { "false" }))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(self.is_scalar("null"))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.is_scalar(&value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.is_scalar(&value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.is_scalar(&value.to_string()))
    }

    /// JSON within a string is looked into where the path goes on (`SockJS`).
    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        if self.1.is_empty() || !value.trim_start().starts_with(['{', '[']) {
            return Ok(self.is_scalar(value));
        }
        let mut reader = serde_json::Deserializer::from_str(value);
        Ok(self.deserialize(&mut reader).unwrap_or(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(is_it) = elements.next_element_seed(self)? {
            found |= is_it;
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = self.1.is_empty() && self.0.values.is_empty();
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            match self.1 {
                [name, rest @ ..] if *name == *key => {
                    found |= members.next_value_seed(Finder(self.0, rest))?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denying(text: &str) -> bool {
        let rules = Rules {
            deny: vec![FieldMatch {
                path: vec!["msg".into(), "type".into()],
                values: vec!["delete".into(), "7".into()],
                rule: "no-delete".into(),
            }],
            ..Rules::default()
        };
        rules.denying(text.as_bytes(), true).is_some()
    }

    #[test]
    fn a_field_is_found_in_objects_and_arrays() {
        assert!(denying(r#"{"msg":{"type":"delete"}}"#));
        assert!(denying(
            r#"[{"a":1},{"msg":[{"type":"x"},{"type":"delete"}]}]"#
        ));
        assert!(denying(r#"{"msg":{"type":7}}"#));
        assert!(denying(r#"42["e",{"msg":{"type":"delete"}}]"#));
        assert!(denying(r#"{"msg":{"t\u0079pe":"d\u0065lete"}}"#));
        assert!(denying(r#"{"msg":{"type":"delete","type":"read"}}"#));
        assert!(denying(r#"a["{\"msg\":{\"type\":\"delete\"}}"]"#));
        assert!(denying(r#"{"msg":{"type":"read""#));
        assert!(!denying(r#"{"msg":{"type":"read"}}"#));
        assert!(!denying(r#"{"type":"delete"}"#));
        assert!(!denying("delete"));
    }
}
