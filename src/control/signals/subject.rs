//! Whom an event is about: subject identifiers (RFC 9493 §3.2; SSF 1.0 §3.3 for `complex`), and what Locum calls them.

use crate::control::duties::same;
use serde_json::Value;

/// The longest identifier, bytes.
const MAX: usize = 1_024;

/// One identifier, in a format that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Email(String),
    IssSub { iss: String, sub: String },
    Opaque(String),
}

impl Subject {
    /// Reads a simple subject, or the `user` of a complex one; what is wrong with it otherwise.
    pub(super) fn read(value: &Value) -> Result<Self, &'static str> {
        match value.get("format").and_then(Value::as_str) {
            Some("complex") => Self::simple(value.get("user").ok_or("names no user")?),
            _ => Self::simple(value),
        }
    }

    fn simple(value: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            let text = text.filter(|it| (1..=MAX).contains(&it.len()));
            let text = text.filter(|it| !it.chars().any(char::is_control));
            text.map(str::to_owned)
                .ok_or("lacks a member of its format")
        };
        match value.get("format").and_then(Value::as_str) {
            Some("email") => Ok(Self::Email(text("email")?)),
            Some("iss_sub") => Ok(Self::IssSub {
                iss: text("iss")?,
                sub: text("sub")?,
            }),
            Some("opaque") => Ok(Self::Opaque(text("id")?)),
            Some(_) => Err("is of a format that is not understood here"),
            None => Err("has no format"),
        }
    }

    /// The account at an identity provider, as logins have it.
    pub(super) fn account(&self) -> Option<String> {
        match self {
            Self::IssSub { iss, sub } => Some(format!("{iss}|{sub}")),
            Self::Email(_) | Self::Opaque(_) => None,
        }
    }

    /// Whether somebody of this id in Locum is meant. Without regard to case, as everywhere: ending one session too many
    /// is the smaller harm.
    pub(super) fn is(&self, id: &str) -> bool {
        match self {
            Self::Email(name) | Self::Opaque(name) => same(name, id),
            Self::IssSub { sub, .. } => {
                same(sub, id) || self.account().is_some_and(|account| same(&account, id))
            }
        }
    }

    /// For records.
    pub(super) fn told(&self) -> &str {
        match self {
            Self::Email(name) | Self::Opaque(name) => name,
            Self::IssSub { sub, .. } => sub,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_formats_that_it_understands() {
        let email = Subject::Email("ada@support.example".to_owned());
        for (value, want) in [
            (
                json!({ "format": "email", "email": "ada@support.example" }),
                Ok(email.clone()),
            ),
            (
                json!({ "format": "iss_sub", "iss": "https://idp.example", "sub": "7" }),
                Ok(Subject::IssSub {
                    iss: "https://idp.example".to_owned(),
                    sub: "7".to_owned(),
                }),
            ),
            (
                json!({ "format": "opaque", "id": "u-7" }),
                Ok(Subject::Opaque("u-7".to_owned())),
            ),
            (
                json!({ "format": "complex", "user": { "format": "email", "email": "ada@support.example" },
                        "tenant": { "format": "opaque", "id": "acme" } }),
                Ok(email),
            ),
            (
                json!({ "format": "complex", "device": { "format": "opaque", "id": "d" } }),
                Err("names no user"),
            ),
            (
                json!({ "format": "complex", "user": { "format": "complex" } }),
                Err("is of a format that is not understood here"),
            ),
            (
                json!({ "format": "phone_number", "phone_number": "+1" }),
                Err("is of a format that is not understood here"),
            ),
            (
                json!({ "format": "email", "email": "" }),
                Err("lacks a member of its format"),
            ),
            (
                json!({ "format": "opaque", "id": "a\nb" }),
                Err("lacks a member of its format"),
            ),
            (
                json!({ "email": "ada@support.example" }),
                Err("has no format"),
            ),
            (json!("ada@support.example"), Err("has no format")),
        ] {
            assert_eq!(Subject::read(&value), want, "{value}");
        }
    }

    #[test]
    fn an_account_is_its_issuer_and_its_subject() {
        let subject = Subject::IssSub {
            iss: "https://idp.example".to_owned(),
            sub: "Ada".to_owned(),
        };
        assert!(subject.is("ada") && subject.is("https://idp.example|ada"));
        assert!(!subject.is("https://other.example|ada"));
    }
}
