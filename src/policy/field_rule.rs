//! A field of a request and what it may say.

use super::values::Value;

/// A field and the values it may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldRule {
    /// As written: `a.b`.
    pub(super) name: Box<str>,
    /// Its steps; one for parameters and form fields.
    pub(super) path: Vec<Box<str>>,
    pub(super) value: Value,
}

impl FieldRule {
    /// `nested`: the name is a path of JSON members.
    pub(super) fn new(name: &str, value: Value, nested: bool) -> Self {
        let path = if nested {
            name.split('.').map(Into::into).collect()
        } else {
            vec![name.into()]
        };
        Self {
            name: name.into(),
            path,
            value,
        }
    }
}
