//! What the recorder can be told, with defaults and units. Every limit of this part has its name here.

use crate::audit::RoomSettings;
use std::path::PathBuf;
use std::time::Duration;

/// The recording's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of tapes; made (0700) if absent.
    pub dir: PathBuf,
    /// Master keys. The first wraps new sessions' keys, all unwrap.
    pub keys: Vec<MasterKey>,
    /// What may wait for the recorder. Bytes; default 64 MiB.
    pub queue_bytes: usize,
    /// Tapes open at once; beyond, one that is not in use is closed. Default 512.
    pub max_open: usize,
    /// How often the journal is told how far a growing tape has come. Default 5 min.
    pub mark_every: Duration,
    pub redaction: Redaction,
    /// The marks of the room on the disk. Default: none.
    pub room: RoomSettings,
}

/// What is taken out before anything is stored.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Names of header fields, beside those that always are.
    pub headers: Vec<Name>,
    /// Names of fields in forms and JSON.
    pub fields: Vec<Name>,
    /// CSS selectors of elements whose text and values are taken out of HTML.
    pub selectors: Vec<String>,
    /// The longest body that is held to be looked through, where that cannot be done as it passes. Bytes; default 8 MiB.
    pub max_held: usize,
}

impl Redaction {
    /// Nothing but what always is.
    pub const fn none() -> Self {
        Self {
            headers: Vec::new(),
            fields: Vec::new(),
            selectors: Vec::new(),
            max_held: 8 << 20,
        }
    }
}

/// A name that ignores case; `*` in it stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }
}

impl Name {
    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let mut rest = rest;
        let mut last = None;
        for part in parts {
            if let Some(middle) = last.replace(part) {
                let Some((_, after)) = rest.split_once(middle) else {
                    return false;
                };
                rest = after;
            }
        }
        last.map_or(rest.is_empty(), |last| rest.ends_with(last))
    }
}

impl Settings {
    /// Recordings in `dir`, under a master key of Locum's own making beside them.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            keys: vec![MasterKey::own(&dir)],
            dir,
            queue_bytes: 64 << 20,
            max_open: 512,
            mark_every: Duration::from_secs(5 * 60),
            redaction: Redaction::none(),
            room: RoomSettings::none(),
        }
    }
}

/// A key that sessions' keys are wrapped with.
#[derive(Clone, Debug)]
pub struct MasterKey {
    /// Stands in each wrapped key; never used again for another key.
    pub id: String,
    pub source: KeySource,
}

impl MasterKey {
    /// `master.key` beside the tapes, made when it is first needed.
    pub fn own(dir: &std::path::Path) -> Self {
        Self {
            id: "own".into(),
            source: KeySource::Own(dir.join("master.key")),
        }
    }
}

/// Where a master key is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of Locum's own: made with fresh bytes if absent.
    Own(PathBuf),
    /// A file with 32 bytes, as 64 hexadecimal digits or as base64.
    File(PathBuf),
    /// An environment variable with the same.
    Environment(String),
    /// Wrapped and unwrapped elsewhere; the key itself never comes here.
    Kms(Kms),
}

/// A key management service, asked over HTTP.
#[derive(Clone, Debug)]
pub struct Kms {
    /// `https://…`; `http://` only to this machine.
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<crate::audit::settings::HeaderSecret>,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// From connect to the end of the answer. Default 2 s.
    pub timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let matches = |pattern: &str, name: &str| Name::from(pattern).matches(name);
        assert!(matches("password", "PassWord") && !matches("password", "password2"));
        assert!(matches("*_token", "csrf_token") && !matches("*_token", "token_x"));
        assert!(matches("x-*-key", "x-api-key") && matches("*", "") && matches("a*b*c", "aXbYc"));
        assert!(!matches("a*b*c", "acb") && !matches("x-*-key", "x-key"));
    }
}
