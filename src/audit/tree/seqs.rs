//! Which records are the leaves of a tenant's tree: their sequence numbers in order, eight bytes each, big-endian.

use super::disk;
use super::error::LogError;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const BYTES: u64 = 8;

/// The file while it grows. What is pushed is written at a sync, in one piece.
#[derive(Debug)]
pub(super) struct Seqs {
    path: PathBuf,
    file: File,
    /// Bytes of the file that count.
    len: u64,
    waiting: Vec<u8>,
    last: u64,
}

impl Seqs {
    /// Opens the file for a tree of `size` leaves; what a crash left beyond is cut.
    pub(super) fn open(dir: &Path, size: u64) -> Result<Self, LogError> {
        let path = dir.join("seqs");
        let io = || LogError::io(&path, "open");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io())?;
        let len = size.saturating_mul(BYTES);
        if file.metadata().map_err(io())?.len() < len {
            return Err(LogError::tiles(
                dir,
                "the file of sequence numbers is too short",
            ));
        }
        file.set_len(len).map_err(io())?;
        let last = match size {
            0 => 0,
            _ => at(&file, size - 1).map_err(io())?,
        };
        Ok(Self {
            path,
            file,
            len,
            waiting: Vec::new(),
            last,
        })
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn push(&mut self, seq: u64) -> Result<(), LogError> {
        self.waiting.extend_from_slice(&seq.to_be_bytes());
        self.last = seq;
        // A tree that is made anew pushes all of them at once.
        if self.waiting.len() > 64 << 10 {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> Result<(), LogError> {
        let io = LogError::io(&self.path, "write");
        self.file
            .write_all_at(&self.waiting, self.len)
            .map_err(io)?;
        self.len += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), LogError> {
        self.write()?;
        let io = LogError::io(&self.path, "sync");
        self.file
            .flush()
            .and_then(|()| self.file.sync_data())
            .map_err(io)
    }
}

fn at(file: &File, index: u64) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, index * BYTES)?;
    Ok(u64::from_be_bytes(bytes))
}

/// The leaf that record `seq` is in the tree of `size` leaves in `dir`; `None` if it is none of that tenant's.
pub(super) fn index_of(dir: &Path, size: u64, seq: u64) -> Result<Option<u64>, LogError> {
    let path = dir.join("seqs");
    let io = || LogError::io(&path, "read");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if disk::is_absent(&error) => return Ok(None),
        Err(error) => return Err(io()(error)),
    };
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        match at(&file, middle).map_err(io())?.cmp(&seq) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Ok(Some(middle)),
        }
    }
    Ok(None)
}
