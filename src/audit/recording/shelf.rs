//! The tapes that are open for writing: one a session, at most so many.

use super::about::About;
use super::counters::{Counters, add};
use super::error::RecordingError;
use super::holds;
use super::keyring::{Keyring, Wrapped, key_path};
use super::part::{Mark, PartWriter};
use super::seal::SessionKey;
use super::settings::Settings;
use crate::model::{Clock, SessionId, Tier};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A tape without anything new for so long is closed; what comes later begins another part.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// More than so many bytes are written before the end of the work at hand.
const EAGER: usize = 1 << 20;

/// An open tape.
pub(super) struct Open {
    pub(super) part: PartWriter,
    /// The highest that `SESSION.json` has.
    tier: Tier,
    /// Exchanges under way.
    pub(super) exchanges: usize,
    pub(super) is_ending: bool,
    used: Instant,
    marked: Instant,
    marked_bytes: u64,
    counted: u64,
}

pub(super) struct Shelf {
    settings: Settings,
    ring: Keyring,
    clock: Clock,
    counters: Arc<Counters>,
    open: HashMap<SessionId, Open>,
}

/// A tape's mark, for the journal.
pub(super) struct Marked {
    pub(super) session: SessionId,
    pub(super) mark: Mark,
}

impl Shelf {
    pub(super) fn new(
        settings: Settings,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<Self, RecordingError> {
        Ok(Self {
            ring: Keyring::new(settings.keys.clone())?,
            settings,
            clock,
            counters,
            open: HashMap::new(),
        })
    }

    /// The session's tape where it is open.
    pub(super) fn get(&mut self, session: SessionId) -> Option<&mut Open> {
        let open = self.open.get_mut(&session)?;
        open.used = Instant::now();
        Some(open)
    }

    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.open.keys().copied().collect()
    }

    /// The session's tape; opened, with a part of its own, where it is not. Marks of tapes that had to make room go to `marks`.
    pub(super) fn open(
        &mut self,
        about: &About,
        marks: &mut Vec<Marked>,
    ) -> Result<&mut Open, RecordingError> {
        let session = about.session;
        if !self.open.contains_key(&session) {
            self.make_room(marks);
            let opened = self.begin(about)?;
            self.open.insert(session, opened);
            self.count();
        }
        let dir = &self.settings.dir;
        let open = self.open.get_mut(&session);
        let open = open.ok_or(RecordingError::Absent { session })?;
        open.used = Instant::now();
        if about.tier > open.tier {
            raise(dir, about)?;
            open.tier = about.tier;
        }
        Ok(open)
    }

    fn begin(&self, about: &About) -> Result<Open, RecordingError> {
        let (dir, session) = (&self.settings.dir, about.session);
        // Beside an erasing, either this finds that it was decided, or that finds the key that is made here.
        let _lock = holds::lock(dir)?;
        let before = About::read(dir, session)?;
        if let Some(erased) = before.as_ref().and_then(|about| about.erased.as_ref()) {
            let why = erased.why.clone();
            return Err(RecordingError::Erased { session, why });
        }
        let key = self.key(session)?;
        let about = before.unwrap_or_else(|| about.clone());
        about.write(dir)?;
        let tier = about.tier;
        let part = PartWriter::create(dir, session, 1, &key, self.clock.now())?;
        Ok(Open {
            part,
            tier,
            exchanges: 0,
            is_ending: false,
            used: Instant::now(),
            marked: Instant::now(),
            marked_bytes: 0,
            counted: 0,
        })
    }

    /// The session's key out of its file, or a fresh one that its file has before anything is sealed with it.
    fn key(&self, session: SessionId) -> Result<SessionKey, RecordingError> {
        let path = key_path(&self.settings.dir, session);
        match fs::read(&path) {
            Ok(text) => {
                let wrapped: Wrapped = serde_json::from_slice(&text)
                    .map_err(|why| RecordingError::damaged(&path, why.to_string()))?;
                self.ring.unwrap(&wrapped)
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let (key, wrapped) = self.ring.make(session)?;
                let text = serde_json::to_vec(&wrapped)
                    .map_err(|why| RecordingError::damaged(&path, why.to_string()))?;
                super::about::replace(&path, &text)?;
                Ok(key)
            }
            Err(why) => Err(RecordingError::io(&path, "read")(why)),
        }
    }

    fn make_room(&mut self, marks: &mut Vec<Marked>) {
        while self.open.len() >= self.settings.max_open {
            let idle = self.open.iter().filter(|(_, open)| open.exchanges == 0);
            let oldest = idle.min_by_key(|(_, open)| open.used);
            let any = || self.open.iter().min_by_key(|(_, open)| open.used);
            let Some(session) = oldest.or_else(any).map(|(session, _)| *session) else {
                return;
            };
            marks.extend(self.close(session));
        }
    }

    /// Writes what is sealed; a tape that cannot be written is closed, and its session given back with the reason.
    pub(super) fn flush(&mut self) -> Vec<(SessionId, RecordingError)> {
        let mut failed = Vec::new();
        for (session, open) in &mut self.open {
            let waiting = open.part.waiting();
            if waiting == 0 {
                continue;
            }
            if let Err(why) = open.part.flush() {
                failed.push((*session, why));
            }
            let length = open.part.len();
            add(&self.counters.written, length.saturating_sub(open.counted));
            open.counted = length;
        }
        for (session, _) in &failed {
            self.open.remove(session);
        }
        self.count();
        failed
    }

    /// The same for one tape, once much waits for it.
    pub(super) fn flush_much(&mut self, session: SessionId) -> Result<(), RecordingError> {
        let Some(open) = self.open.get_mut(&session) else {
            return Ok(());
        };
        if open.part.waiting() < EAGER {
            return Ok(());
        }
        let flushed = open.part.flush();
        if flushed.is_err() {
            self.open.remove(&session);
            self.count();
        }
        flushed
    }

    /// Closes tapes that nobody uses, and marks those that grew since their last mark long ago.
    pub(super) fn tend(&mut self) -> Vec<Marked> {
        let now = Instant::now();
        let is_over = |open: &Open| {
            open.exchanges == 0 && (open.is_ending || now.duration_since(open.used) > IDLE)
        };
        let over: Vec<SessionId> = (self.open.iter())
            .filter(|(_, open)| is_over(open))
            .map(|(session, _)| *session)
            .collect();
        let mut marks: Vec<Marked> = over
            .into_iter()
            .filter_map(|session| self.close(session))
            .collect();
        for (session, open) in &mut self.open {
            let is_due = now.duration_since(open.marked) >= self.settings.mark_every;
            if is_due && open.part.len() > open.marked_bytes {
                marks.extend(mark(*session, open));
            }
        }
        marks
    }

    /// The last of a tape: on the disk, and marked.
    pub(super) fn close(&mut self, session: SessionId) -> Option<Marked> {
        let mut open = self.open.remove(&session)?;
        self.count();
        mark(session, &mut open)
    }

    fn count(&self) {
        let tapes = self.open.len() as u64;
        self.counters.tapes.store(tapes, Ordering::Relaxed);
    }

    /// Whether a file can be written in the directory by now.
    pub(super) fn probe(&self) -> Result<(), RecordingError> {
        let path = self.settings.dir.join("probe");
        let written = fs::DirBuilder::new()
            .recursive(true)
            .create(&self.settings.dir)
            .and_then(|()| fs::write(&path, vec![0; 64 * 1024]))
            .and_then(|()| fs::remove_file(&path));
        written.map_err(RecordingError::io(&path, "write"))
    }
}

/// A higher tier than was known so far. Another process may have decided to erase meanwhile: that stays.
fn raise(dir: &Path, to: &About) -> Result<(), RecordingError> {
    let _lock = holds::lock(dir)?;
    let mut about = About::read(dir, to.session)?.unwrap_or_else(|| to.clone());
    about.tier = about.tier.max(to.tier);
    about.write(dir)
}

fn mark(session: SessionId, open: &mut Open) -> Option<Marked> {
    let done = open.part.flush().and_then(|()| open.part.sync());
    if let Err(why) = done {
        tracing::error!(error = %why, %session, "the end of a recording may not be on the disk");
        return None;
    }
    open.marked = Instant::now();
    open.marked_bytes = open.part.len();
    let mark = open.part.mark();
    Some(Marked { session, mark })
}
