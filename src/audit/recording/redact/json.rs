//! Values of named members taken out of JSON while it passes, byte by byte: what is not meant stays as it was written.
//! Several texts after one another (JSON lines) are read too.

use super::Redact;
use crate::audit::recording::settings::Name;

/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 512;

/// The longest name that is held to be compared; a longer one is none that is listed. Bytes.
const MAX_NAME: usize = 1024;

const MARK: &[u8] = b"\"[redacted]\"";

/// What stands at a depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Array,
    /// In an object: a name comes next, or its colon, or its value.
    Name,
    Colon,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Between,
    String {
        escaped: bool,
    },
    /// A number, `true`, `false`, `null`.
    Word,
}

#[derive(Debug)]
pub(super) struct Json {
    names: Vec<Name>,
    levels: Vec<Level>,
    state: In,
    /// The name being read, as it is written, without its quotes.
    name: Option<Vec<u8>>,
    /// The value of a listed name is being left out; how deep it began.
    hidden: Option<usize>,
}

impl Json {
    pub(super) fn new(names: &[Name]) -> Self {
        Self {
            names: names.to_vec(),
            levels: Vec::new(),
            state: In::Between,
            name: None,
            hidden: None,
        }
    }

    fn is_secret(&self, written: &[u8]) -> bool {
        let quoted = [b"\"", written, b"\""].concat();
        let Ok(name) = serde_json::from_slice::<String>(&quoted) else {
            // No name that a parser takes, so none that a parser would find a secret under; a lenient one might.
            return true;
        };
        self.names.iter().any(|listed| listed.matches(&name))
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self.state {
            In::String { escaped } => {
                self.string(byte, escaped, out);
                return Ok(());
            }
            In::Word if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.give(byte, out);
                return Ok(());
            }
            In::Word => {
                self.state = In::Between;
                self.value_over();
            }
            In::Between => {}
        }
        self.between(byte, out)
    }

    fn string(&mut self, byte: u8, escaped: bool, out: &mut Vec<u8>) {
        let is_over = byte == b'"' && !escaped;
        let escaped = byte == b'\\' && !escaped;
        self.give(byte, out);
        if !is_over {
            if let Some(name) = &mut self.name
                && name.len() <= MAX_NAME
            {
                name.push(byte);
            }
            self.state = In::String { escaped };
            return;
        }
        self.state = In::Between;
        match self.levels.last_mut() {
            Some(level @ Level::Name) => *level = Level::Colon,
            _ => self.value_over(),
        }
    }

    fn between(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let level = self.levels.last().copied();
        match (byte, level) {
            (b' ' | b'\t' | b'\r' | b'\n', _) | (b',', Some(Level::Array | Level::Name)) => {
                self.give(byte, out);
            }
            (b'"', Some(Level::Name)) => {
                self.name = Some(Vec::new());
                self.state = In::String { escaped: false };
                self.give(byte, out);
            }
            (b':', Some(Level::Colon)) => {
                self.give(byte, out);
                self.set(Level::Value);
                let name = self.name.take().unwrap_or_default();
                if self.hidden.is_none() && self.is_secret(&name) {
                    self.hidden = Some(self.levels.len());
                    out.extend_from_slice(MARK);
                }
            }
            (b'}', Some(Level::Name)) | (b']', Some(Level::Array)) => {
                self.give(byte, out);
                self.levels.pop();
                self.value_over();
            }
            (_, Some(Level::Name | Level::Colon)) => return Err(NOT_JSON),
            (b'{', _) => self.open(byte, Level::Name, out)?,
            (b'[', _) => self.open(byte, Level::Array, out)?,
            (b'"', _) => {
                self.state = In::String { escaped: false };
                self.give(byte, out);
            }
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _) => {
                self.state = In::Word;
                self.give(byte, out);
            }
            _ => return Err(NOT_JSON),
        }
        Ok(())
    }

    fn open(&mut self, byte: u8, level: Level, out: &mut Vec<u8>) -> Result<(), &'static str> {
        if self.levels.len() >= MAX_DEPTH {
            return Err("its JSON is nested too deeply to be redacted");
        }
        self.give(byte, out);
        self.levels.push(level);
        Ok(())
    }

    fn set(&mut self, to: Level) {
        if let Some(level) = self.levels.last_mut() {
            *level = to;
        }
    }

    /// A value is over: in an object a name comes next.
    fn value_over(&mut self) {
        if self.hidden == Some(self.levels.len()) {
            self.hidden = None;
        }
        if self.levels.last() == Some(&Level::Value) {
            self.set(Level::Name);
        }
    }

    fn give(&self, byte: u8, out: &mut Vec<u8>) {
        if self.hidden.is_none() {
            out.push(byte);
        }
    }
}

const NOT_JSON: &str = "it says that it is JSON and is not, so it cannot be redacted";

impl Redact for Json {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let is_outside = self.levels.is_empty() && self.state == In::Between;
        let bytes = if is_outside {
            // A byte order mark, which RFC 8259 lets parsers ignore.
            bytes.strip_prefix(b"\xEF\xBB\xBF").map_or(bytes, |rest| {
                out.extend_from_slice(b"\xEF\xBB\xBF");
                rest
            })
        } else {
            bytes
        };
        bytes.iter().try_for_each(|byte| self.byte(*byte, out))
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), &'static str> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redacted(text: &str, at: usize) -> Result<String, &'static str> {
        let names = ["password", "*_token"].map(Name::from);
        let mut json = Json::new(&names);
        let mut out = Vec::new();
        let (first, second) = text.as_bytes().split_at(at.min(text.len()));
        json.push(first, &mut out)?;
        json.push(second, &mut out)?;
        json.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn listed_members_go_and_all_else_stays_as_it_was() {
        let cases = [
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            (
                r#"{"password": "x", "b":2}"#,
                r#"{"password":"[redacted]", "b":2}"#,
            ),
            (
                r#"{"PassWord":[1,{"x":"]"}],"b":2}"#,
                r#"{"PassWord":"[redacted]","b":2}"#,
            ),
            (
                r#"[{"csrf_token":null}, 3e-2]"#,
                r#"[{"csrf_token":"[redacted]"}, 3e-2]"#,
            ),
            (
                r#"{"p\u0061ssword":1.5}"#,
                r#"{"p\u0061ssword":"[redacted]"}"#,
            ),
            (
                r#"{"a":{"password":true},"password":"\"}"}"#,
                r#"{"a":{"password":"[redacted]"},"password":"[redacted]"}"#,
            ),
            (
                "{\"a\":1}\n{\"password\":2}\n",
                "{\"a\":1}\n{\"password\":\"[redacted]\"}\n",
            ),
            (r#""password""#, r#""password""#),
        ];
        for (text, expected) in cases {
            for at in 0..=text.len() {
                assert_eq!(
                    redacted(text, at).as_deref(),
                    Ok(expected),
                    "{text} at {at}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_json_is_withheld() {
        for text in [
            "password=x",
            "{'password':1}",
            "{password:1}",
            "<p>",
            r#"{"a" "b"}"#,
        ] {
            assert!(redacted(text, 0).is_err(), "{text}");
        }
        assert!(redacted(&"[".repeat(10_000), 0).is_err());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(serde_json::Value::from),
            ".{0,8}".prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = prop_oneof![Just("password".to_owned()), ".{0,6}"];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::vec((name, inner), 0..4)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn expected(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Array(all) => all.iter().map(expected).collect(),
            serde_json::Value::Object(all) => {
                let member = |(name, value): (&String, &serde_json::Value)| {
                    let hidden = name.eq_ignore_ascii_case("password");
                    let value = if hidden {
                        "[redacted]".into()
                    } else {
                        expected(value)
                    };
                    (name.clone(), value)
                };
                serde_json::Value::Object(all.iter().map(member).collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn any_json_is_redacted_as_a_parser_would(value in value(), at in 0usize..200, pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let mut at = at.min(text.as_ref().unwrap().len());
            let text = text.unwrap();
            while !text.is_char_boundary(at) { at -= 1; }
            let found = redacted(&text, at).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&found).unwrap(), expected(&value));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::new(&[]).push(&bytes, &mut Vec::new());
        }
    }
}
