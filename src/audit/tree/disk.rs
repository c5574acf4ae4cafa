//! Files that are there whole or not at all.

use crate::audit::yielding::rest;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Files put in their place at a stretch: as long as a turn of a background thread.
const RENAMES: usize = 64;

/// Puts `bytes` at `path` in one step: written beside it, synced, renamed. Directories are made (0700).
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (fresh, file) = write(path, bytes)?;
    file.sync_data()?;
    drop(file);
    fs::rename(&fresh, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes `bytes` beside `path`, where nobody takes them for the file, until [`settle`].
pub(super) fn lay(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes).map(drop)
}

/// Puts what was laid for `paths`, all below `dir`, in its place. Whole and on disk like [`put`], at two syncs for any
/// number of files.
pub(super) fn settle(dir: &Path, paths: &[PathBuf]) -> io::Result<()> {
    let dir = File::open(dir)?;
    rustix::fs::syncfs(&dir)?;
    for some in paths.chunks(RENAMES) {
        for path in some {
            fs::rename(beside(path), path)?;
        }
        rest();
    }
    Ok(rustix::fs::syncfs(&dir)?)
}

fn beside(path: &Path) -> PathBuf {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    fresh.into()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<(PathBuf, File)> {
    let fresh = beside(path);
    let mut new = OpenOptions::new();
    new.create(true).write(true).truncate(true).mode(0o600);
    let mut file = match new.open(&fresh) {
        Err(error) if is_absent(&error) => {
            make(path.parent().unwrap_or(Path::new(".")))?;
            new.open(&fresh)?
        }
        opened => opened?,
    };
    file.write_all(bytes)?;
    Ok((fresh, file))
}

/// Whether the name is that of a file that [`put`] was writing when the process died.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".new").is_some()
}

/// Makes a directory and those above it, for the owner alone.
pub(super) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The file's bytes; `None` if there is no file.
pub(super) fn get(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is just no such file: `tile/0/000.p/3` where `000.p` is none either, too.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
