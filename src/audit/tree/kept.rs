//! The checkpoints of a log on disk: the latest for all to read, every one of them in order, and the last that was
//! signed, whoever has seen it.
//!
//! | file | what |
//! | --- | --- |
//! | `signed` | the head signed last, on disk before anybody gets the signature |
//! | `checkpoints` | every published checkpoint, each followed by an empty line |
//! | `checkpoint` | the last one |

use super::disk;
use super::error::LogError;
use super::note::Signed;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The longest checkpoint that is looked for at the end of the file of all. Bytes.
const TAIL: u64 = 64 << 10;

/// One log's checkpoint files.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Kept {
    dir: PathBuf,
}

impl Kept {
    pub(in crate::audit) fn new(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The checkpoint that all may read. `None` before the first.
    pub(in crate::audit) fn latest(&self) -> Result<Option<Signed>, LogError> {
        self.one("checkpoint")
    }

    fn one(&self, name: &str) -> Result<Option<Signed>, LogError> {
        let path = self.path(name);
        let bytes = disk::get(&path).map_err(LogError::io(&path, "read"))?;
        bytes
            .map(|bytes| Signed::parse(&bytes).map_err(named(&path)))
            .transpose()
    }

    /// The largest head that was ever signed here, as far as the files tell. One file that is damaged does not hide the
    /// others.
    pub(in crate::audit) fn last_signed(&self) -> Result<Option<Signed>, LogError> {
        let mut found = Vec::new();
        let mut damage = None;
        for name in ["signed", "checkpoint"] {
            match self.one(name) {
                Ok(one) => found.extend(one),
                Err(error @ LogError::Io { .. }) => return Err(error),
                Err(error) => damage = Some(error),
            }
        }
        found.extend(self.all_from_end()?);
        if let Some(damage) = damage {
            tracing::warn!(%damage, "a file of the log is damaged; it is made anew");
        }
        Ok(found.into_iter().max_by_key(|one| one.size))
    }

    /// The last whole checkpoint in the file of all.
    fn all_from_end(&self) -> Result<Option<Signed>, LogError> {
        let path = self.path("checkpoints");
        let tail = File::open(&path).and_then(|mut file| tail(&mut file));
        let (_, tail) = match tail {
            Ok(tail) => tail,
            Err(error) if disk::is_absent(&error) => return Ok(None),
            Err(error) => return Err(LogError::io(&path, "read")(error)),
        };
        let whole = parts(&tail).filter_map(|(_, note)| Signed::parse(note).ok());
        Ok(whole.last())
    }

    /// Says before a signature leaves this process what was signed.
    pub(super) fn note_signed(&self, signed: &Signed) -> Result<(), LogError> {
        let path = self.path("signed");
        disk::put(&path, &signed.bytes()).map_err(LogError::io(&path, "write"))
    }

    /// Publishes a checkpoint: to the file of all, then as the latest.
    pub(super) fn publish(&self, signed: &Signed) -> Result<(), LogError> {
        let path = self.path("checkpoints");
        append(&path, &signed.bytes()).map_err(LogError::io(&path, "write"))?;
        let path = self.path("checkpoint");
        disk::put(&path, &signed.bytes()).map_err(LogError::io(&path, "write"))
    }

    /// Every checkpoint that was published, in order.
    pub(in crate::audit) fn all(&self) -> Result<Vec<Signed>, LogError> {
        let path = self.path("checkpoints");
        let bytes = disk::get(&path).map_err(LogError::io(&path, "read"))?;
        let bytes = bytes.unwrap_or_default();
        let read = parts(&bytes).map(|(_, note)| Signed::parse(note).map_err(named(&path)));
        read.collect()
    }
}

fn named(path: &Path) -> impl Fn(LogError) -> LogError {
    move |error| match error {
        LogError::Note { why, .. } => LogError::note(path.display(), why),
        other => other,
    }
}

/// Adds a note and an empty line, after cutting what a crash may have left of one.
fn append(path: &Path, note: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let (start, bytes) = tail(&mut file)?;
    let whole = parts(&bytes).last().map_or(0, |(end, _)| end as u64);
    let is_there = parts(&bytes).last().is_some_and(|(_, last)| last == note);
    // Without one whole note in so many bytes this is no file of ours: nothing of it is cut.
    let is_strange = whole == 0 && start > 0;
    let end = start
        + if is_strange {
            bytes.len() as u64
        } else {
            whole
        };
    file.set_len(end)?;
    if !is_there {
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&[note, b"\n"].concat())?;
    }
    file.sync_all()
}

/// The last bytes of the file of all from the beginning of a note on, and where they begin.
fn tail(file: &mut File) -> std::io::Result<(u64, Vec<u8>)> {
    let start = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if start == 0 {
        return Ok((0, bytes));
    }
    // The empty line inside a note has a signature after it, the one between notes has none.
    let mut ends = memchr::memmem::find_iter(&bytes, b"\n\n").map(|at| at + 2);
    let is_between = |at: &usize| {
        bytes
            .get(*at..)
            .is_some_and(|rest| !rest.starts_with("— ".as_bytes()))
    };
    let skip = ends.find(is_between).unwrap_or(0);
    Ok((start + skip as u64, bytes.split_off(skip)))
}

/// The notes in the file of all: where each ends with its empty line, and its bytes.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        // A note has one empty line of its own, between text and signatures.
        let rest = bytes.get(begin..)?;
        let text = memchr::memmem::find(rest, b"\n\n")? + 2;
        let signatures = memchr::memmem::find(rest.get(text..)?, b"\n\n")? + 1;
        let note = rest.get(..text + signatures)?;
        begin += note.len() + 1;
        Some((begin, note))
    })
}

#[cfg(test)]
mod tests {
    use super::super::key::LogKey;
    use super::*;
    use tlog_tiles::Hash;

    fn signed(size: u64) -> Signed {
        let key = LogKey::generate("log.example").expect("key");
        Signed::sign("log.example", size, Hash([7; 32]), &[key]).expect("signed")
    }

    #[test]
    fn a_crash_at_any_byte_of_the_file_of_all_loses_no_whole_checkpoint() {
        let dir = tempfile::tempdir().expect("dir");
        let kept = Kept::new(dir.path());
        let [one, two, three] = [signed(1), signed(2), signed(3)];
        kept.publish(&one).expect("one");
        kept.publish(&two).expect("two");
        let path = dir.path().join("checkpoints");
        let good = std::fs::read(&path).expect("read");
        for end in one.bytes().len() + 1..=good.len() {
            std::fs::write(&path, &good[..end]).expect("cut");
            kept.publish(&two).expect("again");
            kept.publish(&three).expect("three");
            let sizes: Vec<u64> = kept.all().expect("all").iter().map(|s| s.size).collect();
            assert_eq!(sizes, [1, 2, 3], "{end}");
        }
    }

    #[test]
    fn a_long_file_of_all_is_read_from_its_end() {
        let dir = tempfile::tempdir().expect("dir");
        let kept = Kept::new(dir.path());
        for size in 1..=700 {
            kept.publish(&signed(size)).expect("published");
        }
        std::fs::remove_file(dir.path().join("checkpoint")).expect("remove");
        assert_eq!(kept.last_signed().expect("read").map(|s| s.size), Some(700));
        assert_eq!(kept.all().expect("all").len(), 700);
    }
}
