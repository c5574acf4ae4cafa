//! The file of the next segment, made ready beside the one that grows. To take room for it the disk is read, which can
//! last for tens of milliseconds: no record waits for that.

use super::medium::{Files, Medium};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Its name until it is the segment that grows.
const NAME: &str = "segment.spare";

/// A file with room and nothing else.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    medium: Arc<dyn Medium>,
    room: u64,
}

/// What it takes to make one, without the writer.
#[derive(Debug)]
pub(super) struct Wanted {
    files: Arc<dyn Files>,
    path: PathBuf,
    room: u64,
}

impl Wanted {
    pub(super) fn new(files: &Arc<dyn Files>, dir: &Path, room: u64) -> Self {
        Self {
            files: Arc::clone(files),
            path: dir.join(NAME),
            room,
        }
    }

    /// Takes as long as the disk does.
    pub(super) fn make(self) -> io::Result<Spare> {
        let Self { files, path, room } = self;
        let medium = files.open(&path)?;
        medium.reserve(0, room)?;
        Ok(Spare { path, medium, room })
    }
}

impl Spare {
    /// Makes it the segment at `path`; gives it back with its room. `None`: it is not there any more.
    pub(super) fn place(self, path: &Path) -> Option<(Arc<dyn Medium>, u64)> {
        fs::rename(&self.path, path).ok()?;
        Some((self.medium, self.room))
    }
}

/// Removes one that is not needed any more. One that stays is wasted room and nothing else.
pub(super) fn forget(dir: &Path) {
    let _ = fs::remove_file(dir.join(NAME));
}
