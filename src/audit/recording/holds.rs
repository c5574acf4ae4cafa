//! Legal holds: while one is on a recording, nobody erases it.

use super::about::{About, replace};
use super::error::RecordingError;
use super::viewing::Undone;
use crate::model::{Happened, Ledger, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The most holds at once.
const MAX_HOLDS: usize = 10_000;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Unique: `h` and 16 digits.
    pub id: String,
    pub on: HoldOn,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldOn {
    Session(SessionId),
    /// All sessions of a tenant, those to come too.
    Tenant(String),
    /// All sessions as a subject, in whichever tenant.
    Subject(String),
}

impl Hold {
    pub fn new(on: HoldOn, reason: &str, by: &str, at: Timestamp) -> Self {
        let mut random = [0u8; 8];
        // An id, not a secret; were it taken, placing it would be refused.
        let _ = aws_lc_rs::rand::fill(&mut random);
        Self {
            id: format!("h{}", super::digest::encode(&random)),
            on,
            reason: reason.to_owned(),
            by: by.to_owned(),
            at,
        }
    }

    pub fn is_on(&self, about: &About) -> bool {
        match &self.on {
            HoldOn::Session(session) => about.session == *session,
            HoldOn::Tenant(tenant) => about.tenant == *tenant,
            HoldOn::Subject(subject) => about.subject == *subject,
        }
    }
}

impl std::fmt::Display for HoldOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(session) => write!(f, "session {session}"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::Subject(subject) => write!(f, "subject {subject}"),
        }
    }
}

pub(super) fn read(dir: &Path) -> Result<Vec<Hold>, RecordingError> {
    let path = dir.join("holds.json");
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|why| RecordingError::damaged(&path, why.to_string())),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(why) => Err(RecordingError::io(&path, "read")(why)),
    }
}

pub(super) fn place<L: Ledger>(
    dir: &Path,
    hold: Hold,
    ledger: L,
) -> Result<Hold, Undone<L::Error>> {
    let _lock = lock(dir)?;
    let mut holds = read(dir)?;
    if holds.len() >= MAX_HOLDS || holds.iter().any(|other| other.id == hold.id) {
        let what = format!("there are {MAX_HOLDS} holds, or one with this id: release some first");
        return Err(RecordingError::Setting { what }.into());
    }
    let happened = happened(dir, "recording.held", &hold, &hold.by, &hold.reason)?;
    ledger.put(happened).map_err(Undone::Unrecorded)?;
    holds.push(hold.clone());
    write(dir, &holds)?;
    Ok(hold)
}

pub(super) fn release<L: Ledger>(
    dir: &Path,
    id: &str,
    by: &str,
    why: &str,
    ledger: L,
) -> Result<Option<Hold>, Undone<L::Error>> {
    let _lock = lock(dir)?;
    let mut holds = read(dir)?;
    let Some(at) = holds.iter().position(|hold| hold.id == id) else {
        return Ok(None);
    };
    let released = holds.remove(at);
    let happened = happened(dir, "recording.released", &released, by, why)?;
    ledger.put(happened).map_err(Undone::Unrecorded)?;
    write(dir, &holds)?;
    Ok(Some(released))
}

fn happened(
    dir: &Path,
    code: &str,
    hold: &Hold,
    by: &str,
    why: &str,
) -> Result<Happened, RecordingError> {
    let mut happened = Happened::new(code, by);
    match &hold.on {
        HoldOn::Session(session) => match About::read(dir, *session)? {
            Some(about) => happened = about.happened(code, by),
            None => happened.session = Some(session.to_string()),
        },
        HoldOn::Tenant(tenant) => happened.tenant = Some(tenant.clone()),
        HoldOn::Subject(subject) => happened.subject = Some(subject.clone()),
    }
    Ok(happened.severe(3).with("hold", &hold.id).with("why", why))
}

fn write(dir: &Path, holds: &[Hold]) -> Result<(), RecordingError> {
    let text = serde_json::to_vec_pretty(holds).map_err(|why| RecordingError::Setting {
        what: why.to_string(),
    })?;
    replace(&dir.join("holds.json"), &text)
}

/// One process at a time places, releases or erases: a hold that was placed is seen by every erasing after it.
pub(super) fn lock(dir: &Path) -> Result<File, RecordingError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(RecordingError::io(dir, "make"))?;
    let path = dir.join("lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(RecordingError::io(&path, "open"))?;
    file.lock().map_err(RecordingError::io(&path, "lock"))?;
    Ok(file)
}
