//! What the recorder can be told, with defaults and units. Every limit of this part has its name here.

use std::path::PathBuf;
use std::time::Duration;

/// The recording's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of tapes; made (0700) if absent.
    pub dir: PathBuf,
    /// Master keys. The first wraps new sessions' keys, all unwrap.
    pub keys: Vec<MasterKey>,
}

impl Settings {
    /// Recordings in `dir`, under a master key of Locum's own making beside them.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            keys: vec![MasterKey::own(&dir)],
            dir,
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
