//! The tokens of a person's sign-ins: one file, its owner's only; a token goes to the portal that gave it and to no other.

use super::token::Token;
use super::url as portal;
use crate::cli::Failure;
use crate::model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use url::Url;

/// Where they are.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Credentials {
    path: PathBuf,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// The portal that was signed in to last.
    current: Option<String>,
    portals: BTreeMap<String, SignedIn>,
}

/// One sign-in.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::cli) struct SignedIn {
    token: String,
    pub(in crate::cli) expires_at: String,
    /// The CA that the portal was signed in to with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedIn(until {})", self.expires_at)
    }
}

impl SignedIn {
    pub(in crate::cli) fn new(token: &Token, expires_at: &str, ca: Option<&Path>) -> Self {
        let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self {
            token: token.reveal().to_owned(),
            expires_at: expires_at.to_owned(),
            ca: ca.map(full),
        }
    }

    /// The token, while it is good.
    pub(super) fn token(&self, url: &Url) -> Result<Token, Failure> {
        let portal = portal::shown(url);
        let remedy = format!("locum login --url {portal}");
        let until = self.expires_at.parse::<jiff::Timestamp>();
        let is_over = until.is_ok_and(|it| it.as_millisecond() <= Timestamp::now().millis());
        if is_over {
            let message = format!("your sign-in at {portal} ended at {}", self.expires_at);
            return Err(Failure::sign_in(message, remedy));
        }
        let spoilt = || Failure::sign_in(format!("what is kept for {portal} is no token"), remedy);
        Token::parse(&self.token).ok_or_else(spoilt)
    }
}

impl Kept {
    pub(super) fn current(&self) -> Option<Url> {
        self.current
            .as_deref()
            .and_then(|text| portal::origin(text).ok())
    }

    pub(super) fn at(&self, url: &Url) -> Option<&SignedIn> {
        self.portals.get(&portal::shown(url))
    }
}

impl Credentials {
    /// `$XDG_STATE_HOME/locum/credentials.json` (XDG Base Directory Specification).
    pub(in crate::cli) fn standard() -> Result<Self, Failure> {
        let named = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|it| it.is_absolute())
        };
        let state =
            named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")));
        let homeless = || Failure::cannot("no place for credentials", "set HOME or XDG_STATE_HOME");
        Ok(Self::within(&state.ok_or_else(homeless)?))
    }

    /// In this directory for state.
    pub(in crate::cli) fn within(state: &Path) -> Self {
        Self {
            path: state.join("locum/credentials.json"),
        }
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self) -> Result<Kept, Failure> {
        let cannot =
            |what: String| Failure::cannot(what, format!("mend or remove {}", self.path.display()));
        let read = fs::metadata(&self.path).and_then(|about| Ok((about, fs::read(&self.path)?)));
        let (about, bytes) = match read {
            Ok(read) => read,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
            Err(why) => {
                return Err(cannot(format!("cannot read {}", self.path.display())).because(why));
            }
        };
        if about.permissions().mode() & 0o077 != 0 {
            let message = format!("{} can be read by others", self.path.display());
            let remedy = format!(
                "chmod 600 {}, then sign in again: somebody may have the token",
                self.path.display()
            );
            return Err(Failure::cannot(message, remedy));
        }
        let spoilt = |why: serde_json::Error| {
            cannot(format!("{} cannot be read", self.path.display())).because(why)
        };
        serde_json::from_slice(&bytes).map_err(spoilt)
    }

    /// Keeps a sign-in.
    pub(in crate::cli) fn keep(&self, portal: &str, signed_in: SignedIn) -> Result<(), Failure> {
        let mut kept = self.read()?;
        kept.portals.insert(portal.to_owned(), signed_in);
        kept.current = Some(portal.to_owned());
        self.write(&kept)
    }

    /// Forgets the sign-in at one portal, or at the current one; says which there was.
    pub(in crate::cli) fn forget(&self, url: Option<&str>) -> Result<Option<String>, Failure> {
        let mut kept = self.read()?;
        let portal = match url {
            Some(text) => Some(portal::shown(&portal::origin(text)?)),
            None => kept.current.clone(),
        };
        let Some(portal) = portal.filter(|it| kept.portals.contains_key(it)) else {
            return Ok(None);
        };
        kept.portals.remove(&portal);
        if kept.current.as_ref() == Some(&portal) {
            kept.current = kept.portals.keys().next().cloned();
        }
        self.write(&kept)?;
        Ok(Some(portal))
    }

    /// Whole or not at all, and never readable by others in between.
    fn write(&self, kept: &Kept) -> Result<(), Failure> {
        let written = (|| {
            if let Some(dir) = self.path.parent() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(dir)?;
            }
            let beside = self
                .path
                .with_extension(format!("{}.new", std::process::id()));
            let _ = fs::remove_file(&beside);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(kept)?)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        })();
        written.map_err(|why: std::io::Error| {
            let message = format!("cannot write {}", self.path.display());
            Failure::cannot(
                message,
                "make its directory yours to write, or set XDG_STATE_HOME",
            )
            .because(why)
        })
    }
}
