//! Erasing: the session's key is destroyed first, and with it every copy of the tape, wherever it is.

use super::about::sync_dir;
use super::error::RecordingError;
use super::keyring::key_path;
use super::{part, seal};
use crate::model::SessionId;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Destroys what is left of a recording whose erasing was decided.
pub(super) fn finish(dir: &Path, session: SessionId) -> Result<(), RecordingError> {
    let key = key_path(dir, session);
    destroy(&key).map_err(RecordingError::io(&key, "destroy"))?;
    let parts: Vec<_> = part::parts(dir, session).collect();
    // The last first: what is left after a crash is found from the beginning.
    for part in parts.iter().rev() {
        fs::remove_file(part).map_err(RecordingError::io(part, "remove"))?;
    }
    Ok(())
}

/// Whether anything is there of a recording whose erasing was decided.
pub(super) fn is_unfinished(dir: &Path, session: SessionId) -> bool {
    key_path(dir, session).exists() || part::parts(dir, session).next().is_some()
}

/// Overwrites, syncs, removes, and syncs the directory. A copy that a file system or a backup keeps is beyond this; a master key that
/// is not on the same disk makes those worthless too once it is rotated out.
fn destroy(path: &Path) -> io::Result<()> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(why),
    };
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    let noise = seal::random().unwrap_or_default();
    let mut left = length;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(noise.len());
        file.write_all(noise.get(..take).unwrap_or_default())?;
        left -= take as u64;
    }
    file.sync_all()?;
    drop(file);
    fs::remove_file(path)?;
    sync_dir(path)
}
