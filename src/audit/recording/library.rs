//! All recordings of a directory, and the keys to them.

use super::about::{About, Erased};
use super::error::RecordingError;
use super::keyring::{Keyring, Wrapped, key_path};
use super::seal::SessionKey;
use super::settings::Settings;
use super::tape::Tape;
use super::{erase, holds, part};
use crate::model::{Happened, SessionId, Timestamp};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The recordings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library {
    dir: PathBuf,
    keys: Arc<Keyring>,
}

/// A recording as it lies there, unopened.
#[derive(Clone, Debug)]
pub struct Summary {
    pub about: About,
    /// Bytes of its tape.
    pub bytes: u64,
    /// When it was last written to.
    pub written_at: Timestamp,
    /// Why it must not be erased now; empty where nothing forbids it.
    pub holds: Vec<Hold>,
}

pub use super::holds::{Hold, HoldOn};

impl Summary {
    pub fn session(&self) -> SessionId {
        self.about.session
    }

    pub fn erased(&self) -> Option<&Erased> {
        self.about.erased.as_ref()
    }
}

impl Library {
    /// # Errors
    /// Where the settings cannot be used. The directory need not be there.
    pub fn open(settings: &Settings) -> Result<Self, RecordingError> {
        Ok(Self {
            dir: settings.dir.clone(),
            keys: Arc::new(Keyring::new(settings.keys.clone())?),
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every session of which something was recorded, the oldest first; erased ones too.
    pub fn sessions(&self) -> Result<Vec<Summary>, RecordingError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(RecordingError::io(&self.dir, "list")(why)),
        };
        let holds = self.holds()?;
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(RecordingError::io(&self.dir, "list"))?;
            let name = entry.file_name();
            let session = name
                .to_str()
                .and_then(|name| name.strip_suffix(".json"))
                .and_then(|id| id.parse::<SessionId>().ok());
            if let Some(session) = session
                && let Some(about) = About::read(&self.dir, session)?
            {
                all.push(self.summed(about, &holds));
            }
        }
        all.sort_by_key(|summary| (summary.about.opened_at, summary.about.session));
        Ok(all)
    }

    /// One session's.
    pub fn summary(&self, session: SessionId) -> Result<Summary, RecordingError> {
        let about = About::read(&self.dir, session)?;
        let about = about.ok_or(RecordingError::Absent { session })?;
        Ok(self.summed(about, &self.holds()?))
    }

    fn summed(&self, about: About, holds: &[Hold]) -> Summary {
        let mut bytes = 0;
        let mut written_at = about.opened_at;
        for path in part::parts(&self.dir, about.session) {
            let Ok(found) = fs::metadata(path) else { break };
            bytes += found.len();
            let changed = found.modified().ok().and_then(|at| {
                let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
                i64::try_from(since.as_millis()).ok()
            });
            written_at =
                changed.map_or(written_at, |at| written_at.max(Timestamp::from_millis(at)));
        }
        let holds = holds.iter().filter(|hold| hold.is_on(&about)).cloned();
        Summary {
            holds: holds.collect(),
            about,
            bytes,
            written_at,
        }
    }

    /// Opens a recording. For checks by machines; where a person is to see it, [`Library::view`] is the way.
    ///
    /// # Errors
    /// [`RecordingError::Absent`], [`RecordingError::Erased`], [`RecordingError::Sealed`] (its master key is not at
    /// hand) and [`RecordingError::Damaged`] are told apart.
    pub fn tape(&self, session: SessionId) -> Result<Tape, RecordingError> {
        let about = About::read(&self.dir, session)?;
        if let Some(erased) = about.as_ref().and_then(|about| about.erased.as_ref()) {
            let why = erased.why.clone();
            return Err(RecordingError::Erased { session, why });
        }
        let key = self.key(session)?.ok_or_else(|| match about {
            None => RecordingError::Absent { session },
            Some(_) => RecordingError::Erased {
                session,
                why: "its key is gone, and nothing here says why".into(),
            },
        })?;
        Tape::open(&self.dir, session, &key)
    }

    pub(super) fn key(&self, session: SessionId) -> Result<Option<SessionKey>, RecordingError> {
        let path = key_path(&self.dir, session);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(RecordingError::io(&path, "read")(why)),
        };
        let wrapped: Wrapped = serde_json::from_slice(&text)
            .map_err(|why| RecordingError::damaged(&path, why.to_string()))?;
        if wrapped.session != session || wrapped.version != 1 {
            return Err(RecordingError::damaged(
                &path,
                "it is not this session's key",
            ));
        }
        self.keys.unwrap(&wrapped).map(Some)
    }

    /// Opens a recording for a person. `record` puts it on record that they see it, and why, before anything is shown; where
    /// that fails, nothing is.
    pub fn view<E>(
        &self,
        session: SessionId,
        viewing: &Viewing,
        record: impl FnOnce(&Viewing, &About) -> Result<(), E>,
    ) -> Result<Tape, ViewError<E>> {
        if viewing.reason.trim().is_empty() {
            let what = "state why you look at this recording".into();
            return Err(ViewError::Recording(RecordingError::Setting { what }));
        }
        let tape = self.tape(session).map_err(ViewError::Recording)?;
        let about = About::read(&self.dir, session)
            .and_then(|about| about.ok_or(RecordingError::Absent { session }))
            .map_err(ViewError::Recording)?;
        record(viewing, &about).map_err(ViewError::Unrecorded)?;
        Ok(tape)
    }

    /// Every hold that was placed and not released.
    pub fn holds(&self) -> Result<Vec<Hold>, RecordingError> {
        holds::read(&self.dir)
    }

    /// Forbids erasing until [`Library::release`].
    pub fn hold(&self, hold: Hold) -> Result<(), RecordingError> {
        holds::place(&self.dir, hold)
    }

    /// Takes a hold away; `None` where there is none with this id.
    pub fn release(&self, id: &str) -> Result<Option<Hold>, RecordingError> {
        holds::release(&self.dir, id)
    }

    /// Ends every erasing that was decided and broke off; how many there were.
    pub fn finish_erasing(&self) -> Result<usize, RecordingError> {
        let mut finished = 0;
        for summary in self.sessions()? {
            let session = summary.session();
            if summary.erased().is_some() && erase::is_unfinished(&self.dir, session) {
                erase::finish(&self.dir, session)?;
                finished += 1;
            }
        }
        Ok(finished)
    }

    /// Destroys a session's key, then its tape. Nothing brings it back. What is known of it from outside stays.
    pub fn erase(&self, session: SessionId, erased: Erased) -> Result<About, RecordingError> {
        erase::erase(&self.dir, session, erased)
    }
}

/// Who looks at a recording, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// The person: as the control plane or the command line knows them.
    pub by: String,
    /// In their own words; never empty.
    pub reason: String,
    /// `cli`, `api`, `portal`.
    pub over: &'static str,
    /// `show`, `export har`, `replay`, …
    pub doing: String,
}

impl Viewing {
    /// `recording.viewed`, for the journal.
    pub fn happened(&self, about: &About) -> Happened {
        about
            .happened("recording.viewed", &self.by)
            .with("why", &self.reason)
            .with("over", self.over)
            .with("doing", &self.doing)
    }
}

/// Why a person does not get to see a recording.
#[derive(Debug)]
pub enum ViewError<E> {
    Recording(RecordingError),
    /// That they see it could not be put on record.
    Unrecorded(E),
}

impl<E: std::fmt::Display> std::fmt::Display for ViewError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recording(why) => why.fmt(f),
            Self::Unrecorded(why) => write!(
                f,
                "that you look at this recording could not be put on record, so it is not shown: {why}"
            ),
        }
    }
}

impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for ViewError<E> {}
