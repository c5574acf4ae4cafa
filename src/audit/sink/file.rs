//! A copy of the records in a plain file, rotated by size.

use super::settings::FileSettings;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

pub(super) struct FileSink {
    settings: FileSettings,
    file: File,
    len: u64,
}

impl FileSink {
    pub(super) fn open(settings: &FileSettings) -> Result<Self, StartError> {
        let path = &settings.path;
        let (file, len) = open(path).map_err(StartError::io(path, "open the sink's file"))?;
        Ok(Self {
            settings: settings.clone(),
            file,
            len,
        })
    }

    fn write(&mut self, batch: &[Record]) -> io::Result<()> {
        for record in batch {
            let line = [&record.line, b"\n" as &[u8]].concat();
            if self.len > 0 && self.len + line.len() as u64 > self.settings.max_bytes {
                self.rotate()?;
            }
            // At an offset, so that what a failed write left is written over when the batch comes again.
            self.file.write_all_at(&line, self.len)?;
            self.len += line.len() as u64;
        }
        self.file.sync_data()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.sync_data()?;
        let aged = |n: u32| -> PathBuf {
            let mut name = self.settings.path.clone().into_os_string();
            name.push(format!(".{n}"));
            name.into()
        };
        for n in (1..self.settings.keep).rev() {
            if aged(n).try_exists()? {
                fs::rename(aged(n), aged(n + 1))?;
            }
        }
        if self.settings.keep > 0 {
            fs::rename(&self.settings.path, aged(1))?;
        } else {
            self.file.set_len(0)?;
        }
        (self.file, self.len) = open(&self.settings.path)?;
        Ok(())
    }
}

/// Opens the file at the end of its last whole line: a crash may have left half a one.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let size = usize::try_from(end - start).map_err(io::Error::other)?;
        let part = block.get_mut(..size).unwrap_or_default();
        file.read_exact_at(part, start)?;
        if let Some(newline) = memchr::memrchr(b'\n', part) {
            end = start + newline as u64 + 1;
            break;
        }
        end = start;
    }
    file.set_len(end)?;
    Ok((file, end))
}

impl Sink for FileSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(async { self.write(batch).map_err(DeliveryError::later) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64) -> Record {
        Record {
            seq,
            line: format!("{{\"n\":{seq:04}}}").into_bytes(),
        }
    }

    #[test]
    fn rotation_keeps_so_many_files_and_loses_no_line() {
        let dir = tempfile::tempdir().expect("dir");
        let settings = FileSettings {
            max_bytes: 40,
            keep: 3,
            ..FileSettings::new(dir.path().join("out"))
        };
        let mut sink = FileSink::open(&settings).expect("open");
        let batch: Vec<_> = (1..=12).map(record).collect();
        sink.write(&batch).expect("write");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
        let all = ["out.3", "out.2", "out.1", "out"].map(read).concat();
        let expected: Vec<_> = (1..=12).map(|n| format!("{{\"n\":{n:04}}}\n")).collect();
        let expected = expected.concat();
        assert!(expected.ends_with(&all) && all.lines().count() > 8, "{all}");
        assert!(!dir.path().join("out.4").exists());
    }

    #[test]
    fn half_a_line_is_taken_away() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("out");
        fs::write(&path, "{\"n\":1}\n{\"n\"").expect("write");
        let mut sink = FileSink::open(&FileSettings::new(&path)).expect("open");
        sink.write(&[record(2)]).expect("write");
        assert_eq!(
            fs::read_to_string(&path).expect("read"),
            "{\"n\":1}\n{\"n\":0002}\n"
        );
    }
}
