//! Takes records from the journal into the index, in order, and makes the index anew where it does not fit.

use super::Settings;
use super::block::Batch;
use super::error::IndexError;
use super::file::{File, Written};
use super::pointer::{Pointer, Shelf, Stands, mark};
use crate::audit::segment;
use crate::audit::sink::{Position, Reader};
use crate::audit::yielding::Pace;
use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

/// Why an index is made where there was none.
pub(super) const ABSENT: &str = "there was none";

/// Records of which it takes so many before it looks whether to rest: some microseconds each.
const STRETCH: usize = 16;

/// The one writer of an index. Holds its lock, so that no second process writes.
pub struct Feed {
    settings: Settings,
    file: File,
    reader: Reader,
    /// Why the index was made anew when it was opened, if it was.
    anew: Option<String>,
    /// When it rests.
    pub(super) pace: Pace,
    _lock: fs::File,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last sequence number that can be found.
    pub sequence: u64,
    /// Records taken by this run.
    pub records: u64,
    /// Bytes of the journal taken by this run.
    pub bytes: u64,
}

impl Feed {
    /// Opens the index to bring it up to date; makes it anew where there is none or it cannot be used.
    ///
    /// # Errors
    /// [`IndexError::Kept`] where another process writes it.
    pub fn open(settings: Settings) -> Result<Self, IndexError> {
        let lock = lock(&settings)?;
        let (file, anew) = match usable(&settings) {
            Ok(file) => (file, None),
            Err(IndexError::Absent { .. }) => (File::create(&settings)?, Some(ABSENT.to_owned())),
            Err(IndexError::Broken { why, .. }) => (File::create(&settings)?, Some(why)),
            Err(error) => return Err(error),
        };
        Self::begin(settings, file, anew, lock)
    }

    /// Makes the index anew whatever there is.
    ///
    /// # Errors
    /// [`IndexError::Kept`] where another process writes it.
    pub fn anew(settings: Settings) -> Result<Self, IndexError> {
        let lock = lock(&settings)?;
        let file = File::create(&settings)?;
        Self::begin(settings, file, Some("it was asked for".to_owned()), lock)
    }

    fn begin(
        settings: Settings,
        file: File,
        anew: Option<String>,
        lock: fs::File,
    ) -> Result<Self, IndexError> {
        let position = start(&settings, file.end()?.position)?;
        Ok(Self {
            reader: Reader::new(&settings.journal, position),
            settings,
            file,
            anew,
            pace: Pace::default(),
            _lock: lock,
        })
    }

    /// Why the index was made anew when it was opened, if it was.
    pub fn made_anew(&self) -> Option<&str> {
        self.anew.as_deref()
    }

    /// The last sequence number that can be found.
    pub fn sequence(&self) -> u64 {
        self.reader.position().next.saturating_sub(1)
    }

    /// Bytes of the journal that are not indexed yet.
    ///
    /// # Errors
    /// Where the journal's directory cannot be read.
    pub fn ahead(&self) -> Result<u64, IndexError> {
        let failed = || IndexError::io(&self.settings.journal);
        let at = self.reader.position();
        let mut bytes = 0;
        for first in segment::list(&self.settings.journal).map_err(failed())? {
            if first >= at.segment {
                let path = segment::path(&self.settings.journal, first);
                bytes += fs::metadata(&path).map_err(failed())?.len();
            }
        }
        Ok(bytes.saturating_sub(at.offset))
    }

    /// Whether the file is still the one that searches find: else the feed must be opened again.
    pub fn is_in_place(&self) -> bool {
        self.file.is_in_place()
    }

    /// Takes all records up to `last`, telling after each batch how far it has come; ends early where `told` says no.
    ///
    /// # Errors
    /// Where the journal is broken or cannot be read, or the index cannot be written. What was taken stays.
    pub fn take(
        &mut self,
        last: u64,
        mut told: impl FnMut(Progress) -> bool,
    ) -> Result<Progress, IndexError> {
        let mut progress = Progress {
            sequence: self.sequence(),
            ..Progress::default()
        };
        let mut lines = Vec::new();
        loop {
            let before = self.reader.position();
            let taken = self.batch(last, &mut lines, &mut progress);
            if taken.is_err() {
                // What was read of the batch is not in the index: read it again next time.
                self.reader = Reader::new(&self.settings.journal, before);
            }
            if taken? == 0 || !told(progress) {
                return Ok(progress);
            }
        }
    }

    /// One batch: as much as its bounds allow. `lines` is for its lines.
    fn batch(
        &mut self,
        last: u64,
        lines: &mut Vec<u8>,
        progress: &mut Progress,
    ) -> Result<usize, IndexError> {
        lines.clear();
        let read = self.read(last, lines)?;
        let records = self.add(&read, lines)?;
        if records > 0 {
            progress.sequence = self.sequence();
            progress.records += records as u64;
            progress.bytes += (lines.len() + records) as u64;
        }
        Ok(records)
    }

    /// The records of one batch, and where the line of each ends in `lines`. A line that was changed is not indexed: what
    /// it said before could not be found, and nobody would be told.
    fn read(
        &mut self,
        last: u64,
        lines: &mut Vec<u8>,
    ) -> Result<Vec<(Pointer, usize)>, IndexError> {
        let mut read = Vec::new();
        while read.len() < self.settings.batch_records && lines.len() < self.settings.batch_bytes {
            if self.reader.position().next > last {
                break;
            }
            let next = self.reader.advance();
            let Some(seq) = next.map_err(IndexError::io(&self.settings.journal))? else {
                break;
            };
            let (at, line) = (self.reader.position(), self.reader.line());
            lines.extend_from_slice(line);
            let pointer = Pointer {
                seq,
                segment: at.segment,
                offset: at.offset.saturating_sub(line.len() as u64 + 1),
                mark: mark(self.reader.hash()),
            };
            read.push((pointer, lines.len()));
            if read.len().is_multiple_of(STRETCH) {
                self.pace.pause();
            }
        }
        Ok(read)
    }

    fn add(&mut self, read: &[(Pointer, usize)], lines: &[u8]) -> Result<usize, IndexError> {
        let Some((last, _)) = read.last() else {
            return Ok(0);
        };
        let (mut batch, mut begin) = (Batch::default(), 0);
        for (nth, (pointer, end)) in read.iter().enumerate() {
            if nth % STRETCH == 0 {
                self.pace.pause();
            }
            let line = lines.get(begin..*end).unwrap_or_default();
            let taken = batch.take(*pointer, line);
            taken.map_err(|why| self.unfit(pointer.seq, &why))?;
            begin = *end;
        }
        let pace = &mut self.pace;
        let written = Written {
            blocks: &batch.blocks(|| pace.pause()),
            minutes: &batch.minutes(),
            last: *last,
            next: self.reader.position(),
        };
        self.file.add(&written, || pace.pause())?;
        Ok(read.len())
    }

    fn unfit(&self, seq: u64, why: &serde_json::Error) -> IndexError {
        let why = io::Error::new(io::ErrorKind::InvalidData, format!("record {seq}: {why}"));
        IndexError::io(&self.settings.journal)(why)
    }
}

/// The index that is there, if it is one of this journal.
fn usable(settings: &Settings) -> Result<File, IndexError> {
    let file = File::open(settings)?;
    let Some(last) = file.end()?.last else {
        return Ok(file);
    };
    let stands = Shelf::new(&settings.journal).read(&last);
    match stands.map_err(IndexError::io(&settings.journal))? {
        Stands::Record(_) => Ok(file),
        Stands::Other(why) => Err(IndexError::Broken {
            path: settings.path.clone(),
            why: format!("it is not of this journal: record {}: {why}", last.seq),
        }),
    }
}

/// A journal whose oldest segments were archived begins later.
fn start(settings: &Settings, at: Position) -> Result<Position, IndexError> {
    let segments = match segment::list(&settings.journal) {
        Ok(segments) => segments,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(IndexError::io(&settings.journal)(error)),
    };
    Ok(match segments.first() {
        Some(first) if at.next < *first => Position::at(*first),
        _ => at,
    })
}

fn lock(settings: &Settings) -> Result<fs::File, IndexError> {
    let mut path = settings.path.clone();
    path.set_extension("lock");
    let mut new = fs::OpenOptions::new();
    new.create(true).truncate(false).write(true).mode(0o600);
    let file = new.open(&path).map_err(IndexError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IndexError::Kept {
            path: settings.path.clone(),
        }),
        Err(TryLockError::Error(error)) => Err(IndexError::io(&path)(error)),
    }
}
