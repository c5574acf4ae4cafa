//! A bearer token that a command shows; never printed, and sent to one portal only.

use crate::cli::Failure;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;

/// The longest that is sent, bytes.
const MAX: usize = 16 * 1024;

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A text that can stand in a header.
    pub(in crate::cli) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= MAX;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// For the header and the file of credentials; nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// What a script gave: the file that an option names, else the variable.
    pub(super) fn given(
        file: Option<&Path>,
        variable: Option<OsString>,
    ) -> Result<Option<Self>, Failure> {
        if let Some(path) = file {
            let unread = |why: std::io::Error| {
                let message = format!("cannot read {}", path.display());
                Failure::cannot(
                    message,
                    "name a file that holds a token and is yours to read",
                )
                .because(why)
            };
            let text = fs::read_to_string(path).map_err(unread)?;
            let malformed = || {
                let message = format!("{} holds no token", path.display());
                Failure::cannot(message, "it holds the token and nothing else, on one line")
            };
            return Self::parse(&text).map(Some).ok_or_else(malformed);
        }
        let Some(text) = variable.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let token = text.to_str().and_then(Self::parse);
        let malformed = || {
            Failure::usage(
                "LOCUM_TOKEN is no token",
                "set it to the token and nothing else",
            )
        };
        token.map(Some).ok_or_else(malformed)
    }
}
