//! What is known of a recording without opening it: whose session it was, and whether it is still there.

use super::error::RecordingError;
use crate::model::{Grant, GrantId, Happened, SessionId, Tier, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A session's file beside its tape (`<session>.json`). It stays when the recording is erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub version: u8,
    pub session: SessionId,
    pub grant: GrantId,
    pub app: String,
    pub tenant: String,
    pub subject: String,
    pub operator: String,
    /// The highest tier of what was recorded.
    pub tier: Tier,
    pub break_glass: bool,
    pub opened_at: Timestamp,
    /// Somebody asked for it to be erased, and nobody agreed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
}

/// That somebody asked for a recording to be erased: somebody else must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub at: Timestamp,
    /// The person.
    pub by: String,
    pub account: String,
    pub why: String,
    /// Not agreed to by then: it must be asked anew.
    pub until: Timestamp,
}

/// How a recording went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    pub at: Timestamp,
    /// `locum`, `cli:<user>`, a person.
    pub by: String,
    /// The retention rule, or the reason that was given.
    pub why: String,
    /// Who agreed, where somebody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<String>,
}

impl About {
    pub fn new(session: SessionId, grant: &Grant, tier: Tier, at: Timestamp) -> Self {
        Self {
            version: 1,
            session,
            grant: grant.id,
            app: grant.app.clone(),
            tenant: grant.tenant.id.clone(),
            subject: grant.subject.id.clone(),
            operator: grant.operator.id.clone(),
            tier,
            break_glass: grant.break_glass,
            opened_at: at,
            asked: None,
            erased: None,
        }
    }

    /// Something that happened to this recording, for the journal.
    pub fn happened(&self, code: &str, by: &str) -> Happened {
        Happened {
            app: Some(self.app.clone()),
            tenant: Some(self.tenant.clone()),
            operator: Some(self.operator.clone()),
            subject: Some(self.subject.clone()),
            grant: Some(self.grant.to_string()),
            session: Some(self.session.to_string()),
            ..Happened::new(code, by)
        }
    }

    pub(super) fn path(dir: &Path, session: SessionId) -> PathBuf {
        dir.join(format!("{session}.json"))
    }

    pub(super) fn read(dir: &Path, session: SessionId) -> Result<Option<Self>, RecordingError> {
        let path = Self::path(dir, session);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(RecordingError::io(&path, "read")(why)),
        };
        let about: Self = serde_json::from_slice(&text)
            .map_err(|why| RecordingError::damaged(&path, why.to_string()))?;
        if about.session != session {
            return Err(RecordingError::damaged(&path, "it is of another session"));
        }
        Ok(Some(about))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), RecordingError> {
        let path = Self::path(dir, self.session);
        let text = serde_json::to_vec(self).map_err(|why| RecordingError::Setting {
            what: why.to_string(),
        })?;
        replace(&path, &text)
    }
}

/// Puts a whole file in the place of another: readers see one or the other, also after a loss of power.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), RecordingError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_dir(path)
    })();
    written.map_err(RecordingError::io(path, "write"))
}

/// Until the directory that `path` is in has what happened to it.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
