//! One part of a tape while it is written: frames are sealed into a buffer, the buffer goes to the file in one write.

use super::digest::{Digest, sha256};
use super::error::RecordingError;
use super::frame::{self, CHUNK, Effort};
use super::head::{self, Head};
use super::kept::Spot;
use super::seal::{Sealer, SessionKey};
use crate::model::{SessionId, Timestamp};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How many chunks a part remembers, so that the same bytes are not written twice; beyond, they are. 32 bytes each.
const REMEMBERED: usize = 8192;

/// How many parts one session may have: one more for each restart and each write that failed.
pub(super) const MAX_PARTS: u32 = 100_000;

/// The file of a session's part.
pub(super) fn path(dir: &Path, session: SessionId, part: u32) -> PathBuf {
    match part {
        0 | 1 => dir.join(format!("{session}.tape")),
        _ => dir.join(format!("{session}.{part}.tape")),
    }
}

/// The paths of a session's parts that exist, in order.
pub(super) fn parts(dir: &Path, session: SessionId) -> impl Iterator<Item = PathBuf> + '_ {
    (1..=MAX_PARTS)
        .map(move |number| path(dir, session, number))
        .take_while(|path| path.exists())
}

/// How far a part has come; what the journal says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) part: u32,
    pub(super) frames: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// SHA-256 of those bytes.
    pub(super) sha256: Digest,
}

/// A part that is being written. After a write that failed it takes nothing more: what was sealed may be on the disk in
/// pieces, and other bytes under the same nonces must never be.
pub(super) struct PartWriter {
    file: File,
    path: PathBuf,
    part: u32,
    sealer: Sealer,
    /// Sealed frames that are not written yet.
    sealed: Vec<u8>,
    plain: Vec<u8>,
    known: HashSet<Digest>,
    written: u64,
    digest: Context,
    is_broken: bool,
}

impl PartWriter {
    /// Begins the next part of `session`: the first number, from `part` on, that no file has.
    pub(super) fn create(
        dir: &Path,
        session: SessionId,
        part: u32,
        key: &SessionKey,
        at: Timestamp,
    ) -> Result<Self, RecordingError> {
        let (file, path, part) = free(dir, session, part.max(1))?;
        let (sealer, header) = Sealer::begin(key, session, part)
            .map_err(|_| RecordingError::damaged(&path, "the system's cryptography failed"))?;
        let mut writer = Self {
            file,
            path,
            part,
            sealer,
            sealed: header.to_bytes().to_vec(),
            plain: Vec::new(),
            known: HashSet::new(),
            written: 0,
            digest: Context::new(&SHA256),
            is_broken: false,
        };
        writer.head(&Head::Part(head::Part {
            session,
            number: part,
            at,
            locum: env!("CARGO_PKG_VERSION").into(),
        }))?;
        Ok(writer)
    }

    pub(super) fn head(&mut self, head: &Head) -> Result<(), RecordingError> {
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        let written = frame::write_head(head, &mut plain);
        let sealed = written
            .map_err(|why| RecordingError::damaged(&self.path, why.to_string()))
            .and_then(|()| self.seal(&plain));
        self.plain = plain;
        sealed
    }

    /// Keeps `bytes` (at most [`CHUNK`]) unless this part has them already; returns what they are known by.
    pub(super) fn chunk(&mut self, bytes: &[u8], effort: Effort) -> Result<Digest, RecordingError> {
        debug_assert!(bytes.len() <= CHUNK);
        let digest = sha256(bytes);
        if self.known.contains(&digest) {
            return Ok(digest);
        }
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        frame::write_chunk(&digest, bytes, effort, &mut plain);
        let sealed = self.seal(&plain);
        self.plain = plain;
        sealed?;
        if self.known.len() < REMEMBERED {
            self.known.insert(digest);
        }
        Ok(digest)
    }

    fn seal(&mut self, plain: &[u8]) -> Result<(), RecordingError> {
        self.sealer
            .seal(plain, &mut self.sealed)
            .map_err(|_| RecordingError::damaged(&self.path, "the system's cryptography failed"))
    }

    /// Where the next frame will be.
    pub(super) const fn spot(&self) -> Spot {
        Spot {
            part: self.part,
            frame: self.sealer.count(),
        }
    }

    /// Bytes that wait for [`PartWriter::flush`].
    pub(super) fn waiting(&self) -> usize {
        self.sealed.len()
    }

    /// Bytes of the file, with what waits.
    pub(super) fn len(&self) -> u64 {
        self.written + self.sealed.len() as u64
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        if self.is_broken {
            let why = io::Error::other("an earlier write failed");
            return Err(RecordingError::io(&self.path, "write to")(why));
        }
        if let Err(why) = self.file.write_all(&self.sealed) {
            self.is_broken = true;
            // What is left of the write is a torn tail; without it the file ends with its last whole frame.
            let _ = self.file.set_len(self.written);
            return Err(RecordingError::io(&self.path, "write to")(why));
        }
        self.digest.update(&self.sealed);
        self.written += self.sealed.len() as u64;
        self.sealed.clear();
        self.sealed.shrink_to(4 * CHUNK);
        Ok(())
    }

    /// Until the disk has everything that was flushed.
    pub(super) fn sync(&mut self) -> Result<(), RecordingError> {
        let synced = self.file.sync_data();
        synced.map_err(|why| {
            self.is_broken = true;
            RecordingError::io(&self.path, "sync")(why)
        })
    }

    /// What is in the file by now. Only meaningful after a flush.
    pub(super) fn mark(&self) -> Mark {
        let digest = self.digest.clone().finish();
        Mark {
            part: self.part,
            frames: self.sealer.count(),
            bytes: self.written,
            sha256: digest.as_ref().try_into().unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for PartWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartWriter({}, {})", self.path.display(), self.written)
    }
}

fn free(dir: &Path, session: SessionId, from: u32) -> Result<(File, PathBuf, u32), RecordingError> {
    for part in from..=MAX_PARTS {
        let path = path(dir, session, part);
        // Never an existing file: its nonces are spent.
        let opened = fs::OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match opened {
            Ok(file) => return Ok((file, path, part)),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(RecordingError::io(&path, "make")(why)),
        }
    }
    let what = format!("session {session} has {MAX_PARTS} parts, and may have no more");
    Err(RecordingError::Setting { what })
}
