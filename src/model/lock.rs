//! A lock refuses present and future use by one key, until somebody lifts it or its time is over.

use super::{LockId, Timestamp};
use std::fmt;
use std::str::FromStr;

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "lowercase")]
pub enum LockKey {
    Session(String),
    Operator(String),
    Subject(String),
    Tenant(String),
    Ticket(String),
    App(String),
    All,
}

/// A text that names no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a key: write session:ID, operator:ID, subject:ID, tenant:ID, ticket:ID, app:NAME or all",
        )
    }
}

impl std::error::Error for InvalidKey {}

impl LockKey {
    /// The same for every spelling of one name: nobody evades a lock by capitals or blanks, nor sets one that meets nobody.
    pub fn folded(&self) -> Self {
        let fold = |value: &String| value.trim().to_lowercase();
        match self {
            Self::Session(value) => Self::Session(fold(value)),
            Self::Operator(value) => Self::Operator(fold(value)),
            Self::Subject(value) => Self::Subject(fold(value)),
            Self::Tenant(value) => Self::Tenant(fold(value)),
            Self::Ticket(value) => Self::Ticket(fold(value)),
            Self::App(value) => Self::App(fold(value)),
            Self::All => Self::All,
        }
    }

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Operator(_) => "operator",
            Self::Subject(_) => "subject",
            Self::Tenant(_) => "tenant",
            Self::Ticket(_) => "ticket",
            Self::App(_) => "app",
            Self::All => "all",
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::Session(value)
            | Self::Operator(value)
            | Self::Subject(value)
            | Self::Tenant(value)
            | Self::Ticket(value)
            | Self::App(value) => value,
            Self::All => "",
        }
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            key => write!(f, "{}:{}", key.kind(), key.value()),
        }
    }
}

impl FromStr for LockKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, value) = text.split_once(':').ok_or(InvalidKey)?;
        if value.trim().is_empty() {
            return Err(InvalidKey);
        }
        let value = value.to_owned();
        match kind {
            "session" => Ok(Self::Session(value)),
            "operator" => Ok(Self::Operator(value)),
            "subject" => Ok(Self::Subject(value)),
            "tenant" => Ok(Self::Tenant(value)),
            "ticket" => Ok(Self::Ticket(value)),
            "app" => Ok(Self::App(value)),
            _ => Err(InvalidKey),
        }
    }
}

/// A lock as it stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lock {
    pub id: LockId,
    pub key: LockKey,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
    /// `None`: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    pub version: i64,
}

impl Lock {
    pub fn holds(&self, now: Timestamp) -> bool {
        self.lifted_at.is_none() && self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        for text in [
            "all",
            "tenant:acme",
            "ticket:SUP-1:2",
            "operator:ada@support.example",
        ] {
            assert_eq!(
                text.parse::<LockKey>()
                    .map(|key| key.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
        for text in ["", "tenant:", "tenant", "planet:x", "All"] {
            assert_eq!(text.parse::<LockKey>(), Err(InvalidKey), "{text}");
        }
    }
}
