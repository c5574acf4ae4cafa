//! A fixed credential for legacy apps: Basic or a token, read once at load, never shown.

use super::{IdentityError, field_name};
use crate::proxy::upstream::Cause;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, header};
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

/// Longest secret, in bytes.
const MAX_SECRET: u64 = 8192;

/// What is put on every request to the app.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        user: String,
        password: SecretSource,
    },
    /// `header: prefix` and the token, such as `Authorization: Bearer …`.
    Token {
        header: String,
        prefix: String,
        token: SecretSource,
    },
}

/// Where a secret comes from. The secret itself is never in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file with one line.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the variable {name}"),
        }
    }
}

impl SecretSource {
    pub(super) fn read(&self) -> Result<String, Cause> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|cause| match cause {
                std::env::VarError::NotPresent => Cause::from("it is not set"),
                // The other variant holds the value, and its message would show it.
                std::env::VarError::NotUnicode(_) => Cause::from("it is not text"),
            })?,
            Self::File(path) => {
                let mut text = String::new();
                let file = std::fs::File::open(path)?;
                file.take(MAX_SECRET + 1).read_to_string(&mut text)?;
                text
            }
        };
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        let plain = |b: u8| !b.is_ascii_control();
        if secret.is_empty() {
            Err("it is empty".into())
        } else if secret.len() as u64 > MAX_SECRET {
            Err("it is too long".into())
        } else if !secret.bytes().all(plain) {
            Err("it holds control characters or more than one line".into())
        } else {
            Ok(secret.to_owned())
        }
    }
}

impl Credential {
    /// The header field, marked sensitive so that `Debug` hides it and HPACK does not index it.
    pub(super) fn field(&self, upstream: &str) -> Result<(HeaderName, HeaderValue), IdentityError> {
        let wrong = |what: String| IdentityError::Settings {
            upstream: upstream.to_owned(),
            what,
        };
        let read = |source: &SecretSource| {
            source.read().map_err(|cause| IdentityError::Secret {
                upstream: upstream.to_owned(),
                from: source.to_string(),
                cause,
            })
        };
        let (name, text) = match self {
            Self::Basic { user, password } => {
                // RFC 7617 §2: the first colon ends the user's name.
                if user.contains(':') || user.chars().any(char::is_control) {
                    return Err(wrong(
                        "basic.user has a colon or control characters".to_owned(),
                    ));
                }
                let pair = format!("{user}:{}", read(password)?);
                (
                    header::AUTHORIZATION,
                    format!("Basic {}", STANDARD.encode(pair)),
                )
            }
            Self::Token {
                header,
                prefix,
                token,
            } => (
                field_name(header).map_err(wrong)?,
                format!("{prefix}{}", read(token)?),
            ),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| wrong("the credential cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}
