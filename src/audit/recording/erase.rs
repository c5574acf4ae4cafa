//! Erasing: the session's key is destroyed first, and with it every copy of the tape, wherever it is.

use super::about::{About, Erased, sync_dir};
use super::error::RecordingError;
use super::keyring::key_path;
use super::{holds, part, seal};
use crate::model::SessionId;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

pub(super) fn erase(
    dir: &Path,
    session: SessionId,
    erased: Erased,
) -> Result<About, RecordingError> {
    let _lock = holds::lock(dir)?;
    let about = About::read(dir, session)?.ok_or(RecordingError::Absent { session })?;
    let holds = holds::read(dir)?;
    if let Some(hold) = holds.iter().find(|hold| hold.is_on(&about)) {
        let hold = format!("{} on {}: {}", hold.id, hold.on, hold.reason);
        return Err(RecordingError::Held { session, hold });
    }
    // The intent first: a crash between here and the end is finished by the next sweep.
    let about = About {
        erased: Some(about.erased.unwrap_or(erased)),
        ..about
    };
    about.write(dir)?;
    finish(dir, session)?;
    Ok(about)
}

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
