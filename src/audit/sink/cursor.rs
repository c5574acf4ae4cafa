//! How far a sink has come, kept on disk so that a restart goes on there.

use super::reader::Position;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// One sink's cursor file.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
}

impl Cursor {
    /// `dir` is the journal's directory.
    pub(super) fn new(dir: &Path, sink: &str) -> Self {
        Self {
            path: dir.join("sinks").join(format!("{sink}.cursor")),
        }
    }

    /// Where to go on; the first record of all if there is no cursor yet.
    ///
    /// # Errors
    /// Where the file cannot be read or makes no sense: starting over silently would send everything twice.
    pub(super) fn load(&self) -> io::Result<Position> {
        match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Position::START),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file in one step.
    pub(super) fn save(&self, position: Position) -> io::Result<()> {
        let fresh = self.path.with_extension("cursor.new");
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec(&position)?)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets a record aside that the sink will never take, as it would have gone out, and why.
    pub(super) fn set_aside(&self, line: &[u8], why: &str) -> io::Result<()> {
        let why = serde_json::to_vec(why)?;
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.path.with_extension("poison.jsonl"))?;
        file.write_all(&[b"{\"why\":" as &[u8], &why, b",\"record\":", line, b"}\n"].concat())?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_nonsense_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        fs::create_dir(dir.path().join("sinks")).expect("dir");
        let cursor = Cursor::new(dir.path(), "siem");
        assert_eq!(cursor.load().expect("none yet"), Position::START);
        let position = Position {
            next: 18,
            segment: 7,
            offset: 4096,
        };
        cursor.save(position).expect("save");
        assert_eq!(cursor.load().expect("load"), position);
        fs::write(cursor.path(), "{").expect("write");
        assert!(cursor.load().is_err());
    }
}
