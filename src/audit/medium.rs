//! The seam to the file system: real files in the product, files that fail on demand in tests.

use rustix::fs::{FallocateFlags, OFlags, fallocate, fstatvfs};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// A path that is a link is refused.
pub(super) const NO_LINKS: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// Ahead of what is written only so much of the room that is left is taken: one part in so many.
const SPARING: u64 = 16;

/// One segment file, open for writing at offsets. Never in append mode: Linux would ignore the offset.
pub(super) trait Medium: Send + Sync + fmt::Debug {
    /// As `pwrite(2)`: may write less than asked.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// As `pread(2)`, all of `into` or an error.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
    /// As `fdatasync(2)`.
    fn sync(&self) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Whether it is known to have no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(false)
    }
    /// Takes the room from `from` up to `to` without making the file longer. Does nothing where there is little room.
    fn reserve(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Ok(())
    }
    /// Whether it is the file that has this name.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        Ok(true)
    }
    /// Whether the file still has a name: what goes into one that was removed is gone with the process.
    fn has_name(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// Where segment files come from.
pub(super) trait Files: Send + Sync + fmt::Debug {
    /// Opens a segment for writing; makes it (0600) where it is not there.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>>;
    /// Makes the entries of `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The real thing.
#[derive(Debug)]
pub(super) struct Disk;

impl Files for Disk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // A link that somebody put there leads to a file that is not the journal's.
            .custom_flags(NO_LINKS)
            .open(path)?;
        Ok(Arc::new(OnDisk(file)))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

#[derive(Debug)]
struct OnDisk(File);

impl Medium for OnDisk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()?;
        // A file system that stopped by itself meanwhile may say that all is well: ext4 (Linux 6.18) loses what was written into
        // room taken ahead once its own journal is aborted, since it cannot note any more that something was written there,
        // and `fdatasync` does not tell. Room that the file has already, asked for again, changes nothing and needs that journal.
        match fallocate(&self.0, FallocateFlags::KEEP_SIZE, 0, 1) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.len() == 0)
    }

    fn reserve(&self, from: u64, to: u64) -> io::Result<()> {
        let bytes = to.saturating_sub(from);
        // A limit on files' sizes is a signal that ends the process, here too (RLIMIT_FSIZE, getrlimit(2)).
        let limit = getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit| limit < to) {
            return Ok(());
        }
        let room = fstatvfs(&self.0)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if bytes == 0 || free / SPARING < bytes {
            return Ok(());
        }
        Ok(fallocate(&self.0, FallocateFlags::KEEP_SIZE, from, bytes)?)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (own, named) = (self.0.metadata()?, fs::symlink_metadata(path)?);
        Ok((own.dev(), own.ino()) == (named.dev(), named.ino()))
    }

    fn has_name(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.nlink() > 0)
    }
}
