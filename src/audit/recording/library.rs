//! All recordings of a directory, and the keys to them.

use super::about::{About, Erased};
use super::error::RecordingError;
use super::keyring::{Keyring, Wrapped, key_path};
use super::seal::SessionKey;
use super::settings::Settings;
use super::step::{self, Step};
use super::tape::Tape;
use super::viewing::{Undone, Viewing};
use super::{digest, erase, holds, part};
use crate::model::{Ledger, SessionId, Timestamp};
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

    /// Another number whenever anything of it changed but its length: for `ETag`. Never negative.
    pub fn version(&self) -> i64 {
        let seen = serde_json::to_vec(&(&self.about, &self.holds)).unwrap_or_default();
        let digest = digest::sha256(&seen);
        let bits = digest.iter().take(6);
        bits.fold(0, |all, byte| all << 8 | i64::from(*byte))
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
        let holds = self.holds()?;
        let mut all = Vec::new();
        for session in self.ids()? {
            if let Some(about) = About::read(&self.dir, session)? {
                all.push(self.summed(about, &holds));
            }
        }
        all.sort_by_key(|summary| (summary.about.opened_at, summary.about.session));
        Ok(all)
    }

    /// Some recordings that are `wanted`, the newest first, and where the next page begins. A page ends early where
    /// `looks` recordings were looked at for it.
    pub fn page(
        &self,
        after: Option<SessionId>,
        limit: usize,
        looks: usize,
        mut wanted: impl FnMut(&Summary) -> bool,
    ) -> Result<(Vec<Summary>, Option<SessionId>), RecordingError> {
        let holds = self.holds()?;
        // Ids grow with time.
        let mut ids = self.ids()?;
        ids.retain(|id| after.is_none_or(|after| *id < after));
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let mut found = Vec::new();
        for (looked, id) in ids.iter().enumerate() {
            let Some(about) = About::read(&self.dir, *id)? else {
                continue;
            };
            let summary = self.summed(about, &holds);
            if wanted(&summary) {
                found.push(summary);
            }
            if found.len() >= limit || looked + 1 >= looks {
                return Ok((found, (looked + 1 < ids.len()).then_some(*id)));
            }
        }
        Ok((found, None))
    }

    fn ids(&self) -> Result<Vec<SessionId>, RecordingError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(RecordingError::io(&self.dir, "list")(why)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(RecordingError::io(&self.dir, "list"))?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(id.and_then(|id| id.parse::<SessionId>().ok()));
        }
        Ok(ids)
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

    /// Opens a recording, for checks by machines in this room. Outside of it there is [`Library::view`] alone, so that a
    /// view without a record does not compile.
    ///
    /// # Errors
    /// [`RecordingError::Absent`], [`RecordingError::Erased`], [`RecordingError::Sealed`] (its master key is not at
    /// hand) and [`RecordingError::Damaged`] are told apart.
    pub(super) fn tape(&self, session: SessionId) -> Result<Tape, RecordingError> {
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

    /// Opens a recording for a person: the only way for them. It is on record that they see it, and why, before anything is
    /// shown; where that fails, nothing is.
    pub fn view<L: Ledger>(
        &self,
        session: SessionId,
        viewing: &Viewing,
        ledger: L,
    ) -> Result<Tape, Undone<L::Error>> {
        if viewing.reason.trim().is_empty() {
            let what = "state why you look at this recording".into();
            return Err(RecordingError::Setting { what }.into());
        }
        let tape = self.tape(session)?;
        let about = About::read(&self.dir, session)?;
        let about = about.ok_or(RecordingError::Absent { session })?;
        let put = ledger.put(viewing.happened(&about));
        put.map_err(Undone::Unrecorded)?;
        Ok(tape)
    }

    /// Every hold that was placed and not released.
    pub fn holds(&self) -> Result<Vec<Hold>, RecordingError> {
        holds::read(&self.dir)
    }

    /// Forbids erasing until [`Library::release`], once that is on record.
    pub fn hold<L: Ledger>(&self, hold: Hold, ledger: L) -> Result<Hold, Undone<L::Error>> {
        holds::place(&self.dir, hold, ledger)
    }

    /// Takes a hold away, once that is on record; `None` where there is none with this id.
    pub fn release<L: Ledger>(
        &self,
        id: &str,
        by: &str,
        why: &str,
        ledger: L,
    ) -> Result<Option<Hold>, Undone<L::Error>> {
        holds::release(&self.dir, id, by, why, ledger)
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

    /// Destroys a session's key, then its tape, once that is on record. Nothing brings it back. What is known of it from
    /// outside stays.
    pub fn erase<L: Ledger>(
        &self,
        session: SessionId,
        erased: Erased,
        ledger: L,
    ) -> Result<About, Undone<L::Error>> {
        let step = |_: &Summary| Ok(Step::Erase(erased));
        Ok(self.step(session, step, ledger)?.about)
    }

    /// Takes a step that `decide` chooses, seeing the recording as it is, while nobody else takes one. It is on record
    /// before it is done.
    pub fn step<L: Ledger>(
        &self,
        session: SessionId,
        decide: impl FnOnce(&Summary) -> Result<Step, L::Error>,
        ledger: L,
    ) -> Result<Summary, Undone<L::Error>> {
        let lock = holds::lock(&self.dir)?;
        let summary = self.summary(session)?;
        let step = decide(&summary).map_err(Undone::Unrecorded)?;
        let seen = (&summary.about, summary.holds.as_slice());
        step::take(&self.dir, seen, step, ledger)?;
        drop(lock);
        Ok(self.summary(session)?)
    }
}
