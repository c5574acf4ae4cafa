//! The file of the next segment, made ready beside the one that grows. To take room for it the disk is read, which can
//! last for tens of milliseconds: no record waits for that.

use super::medium::{Files, Medium};
use rustix::fs::{CWD, RenameFlags, renameat_with};
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

    /// Takes as long as the disk does. Where it fails, what was had in part is given back.
    pub(super) fn make(self) -> io::Result<Spare> {
        let Self { files, path, room } = self;
        // Whatever has its name is not written to.
        let _ = fs::remove_file(&path);
        let made = files.open(&path).and_then(|medium| {
            medium.reserve(0, room)?;
            Ok(medium)
        });
        match made {
            Ok(medium) => Ok(Spare { path, medium, room }),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }
}

impl Spare {
    /// Makes it the segment at `path`; gives it back with its room. `None`: something stands there already, which readers
    /// may have opened, or what had the spare file's name was not the spare file.
    pub(super) fn place(self, path: &Path) -> Option<(Arc<dyn Medium>, u64)> {
        let moved = renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE);
        if moved.is_err() {
            let _ = fs::remove_file(&self.path);
            return None;
        }
        let is_there = self.medium.is_at(path).unwrap_or(false);
        is_there.then_some((self.medium, self.room))
    }
}

/// Removes one that is not needed any more. One that stays is wasted room and nothing else.
pub(super) fn forget(dir: &Path) {
    let _ = fs::remove_file(dir.join(NAME));
}

#[cfg(test)]
mod tests {
    use super::super::medium::Disk;
    use super::super::tests::fixture::{Faulty, FaultyFiles};
    use super::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::atomic::Ordering;

    const ROOM: u64 = 1 << 20;

    fn wanted(dir: &Path) -> Wanted {
        let files: Arc<dyn Files> = Arc::new(Disk);
        Wanted::new(&files, dir, ROOM)
    }

    #[test]
    fn it_becomes_the_segment_with_its_room() {
        let dir = tempfile::tempdir().expect("dir");
        let (spare, path) = (dir.path().join(NAME), dir.path().join("segment"));
        let made = wanted(dir.path()).make().expect("made");
        let ino = fs::metadata(&spare).expect("there").ino();
        let (medium, room) = made.place(&path).expect("placed");
        assert_eq!((room, medium.is_at(&path).ok()), (ROOM, Some(true)));
        assert_eq!(fs::metadata(&path).expect("there").ino(), ino);
        assert!(!spare.exists());
    }

    #[test]
    fn nothing_that_stands_there_is_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("segment");
        fs::write(&path, "what readers have open").expect("written");
        assert!(
            wanted(dir.path())
                .make()
                .expect("made")
                .place(&path)
                .is_none()
        );
        let kept = fs::read(&path).expect("there");
        assert_eq!(kept, b"what readers have open");
        assert!(!dir.path().join(NAME).exists(), "its room is given back");
    }

    #[test]
    fn another_file_under_its_name_is_not_taken_for_it() {
        let dir = tempfile::tempdir().expect("dir");
        let (spare, path) = (dir.path().join(NAME), dir.path().join("segment"));
        let made = wanted(dir.path()).make().expect("made");
        fs::rename(&spare, dir.path().join("elsewhere")).expect("moved");
        fs::write(&spare, "somebody's").expect("written");
        assert!(made.place(&path).is_none());
        let gone = wanted(dir.path()).make().expect("made");
        fs::remove_file(&spare).expect("removed");
        assert!(gone.place(&dir.path().join("next")).is_none());
    }

    #[test]
    fn one_that_could_not_get_its_room_leaves_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let faulty = Faulty::new();
        faulty.reserve_fails.store(true, Ordering::SeqCst);
        let files: Arc<dyn Files> = Arc::new(FaultyFiles(faulty));
        let failed = Wanted::new(&files, dir.path(), ROOM).make();
        let why = failed.map(drop).expect_err("no room").kind();
        assert_eq!(why, io::ErrorKind::QuotaExceeded);
        assert!(!dir.path().join(NAME).exists());
    }
}
