//! A part's file, frame by frame: whole ones are opened, a torn tail is told, anything else is damage.

use super::error::RecordingError;
use super::frame::{Frame, MAX_FRAME, Unreadable};
use super::header::{HEADER, Header};
use super::seal::{Opener, SessionKey, TAG};
use crate::model::SessionId;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A part that can be read.
pub(super) struct Part {
    pub(super) file: File,
    pub(super) path: PathBuf,
    opener: Opener,
}

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of the tape's parts, from 0.
    pub(super) part: usize,
    pub(super) number: u64,
    /// Of the ciphertext, in the file.
    pub(super) offset: u64,
    /// Of ciphertext and tag.
    pub(super) length: u32,
}

/// A tail that is no whole frame: what a crash leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The part's number, from 1.
    pub part: u32,
    /// Where the whole frames end.
    pub at: u64,
    /// How much follows.
    pub bytes: u64,
}

/// What stands at one place in a part.
pub(super) enum Step<'a> {
    Frame(Place, &'a [u8]),
    Torn(Torn),
    End,
}

impl Part {
    /// Opens part `number` of `session`. `None` where there is no such file; an error where it is not that part.
    pub(super) fn open(
        dir: &Path,
        session: SessionId,
        number: u32,
        key: &SessionKey,
    ) -> Result<Option<Opened>, RecordingError> {
        let path = super::part::path(dir, session, number);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(RecordingError::io(&path, "open")(why)),
        };
        let length = file
            .metadata()
            .map_err(RecordingError::io(&path, "read"))?
            .len();
        let mut bytes = [0; HEADER];
        if length < HEADER as u64 {
            // The process died before the first write was whole.
            let torn = Torn {
                part: number,
                at: 0,
                bytes: length,
            };
            return Ok(Some(Opened::Torn(torn)));
        }
        file.read_exact_at(&mut bytes, 0)
            .map_err(RecordingError::io(&path, "read"))?;
        let header = Header::parse(&bytes)
            .filter(|header| header.session == session && header.part == number)
            .ok_or_else(|| RecordingError::damaged(&path, "its header is not that of this part"))?;
        let opener = Opener::new(key, header)
            .map_err(|_| RecordingError::damaged(&path, "the system's cryptography failed"))?;
        Ok(Some(Opened::Whole(Self { file, path, opener })))
    }

    /// The frame at a place, as [`Scan`] found it.
    pub(super) fn frame(&self, place: Place) -> Result<Frame, RecordingError> {
        let mut sealed = vec![0; place.length as usize];
        self.file
            .read_exact_at(&mut sealed, place.offset)
            .map_err(RecordingError::io(&self.path, "read"))?;
        let plain = self
            .opener
            .open(place.number, &mut sealed)
            .map_err(|_| self.damaged(place.number, place.offset))?;
        Frame::parse(plain).map_err(|why| self.unreadable(place.number, &why))
    }

    pub(super) fn unreadable(&self, number: u64, why: &Unreadable) -> RecordingError {
        RecordingError::damaged(&self.path, format!("frame {number}: {why}"))
    }

    fn damaged(&self, number: u64, offset: u64) -> RecordingError {
        let what =
            format!("frame {number} at byte {offset} was changed, moved, or one before it removed");
        RecordingError::damaged(&self.path, what)
    }
}

/// What is at a part's path.
pub(super) enum Opened {
    Whole(Part),
    /// Not even a header.
    Torn(Torn),
}

/// Goes through a part from its beginning.
pub(super) struct Scan<'a> {
    part: &'a Part,
    index: usize,
    number: u32,
    from: BufReader<&'a File>,
    length: u64,
    at: u64,
    next: u64,
    buffer: Vec<u8>,
}

impl<'a> Scan<'a> {
    /// `index`: its place among the tape's parts; `number`: its own.
    pub(super) fn new(part: &'a Part, index: usize, number: u32) -> Result<Self, RecordingError> {
        use std::io::Seek as _;
        let length = part
            .file
            .metadata()
            .map_err(RecordingError::io(&part.path, "read"))?
            .len();
        let mut from = BufReader::with_capacity(256 * 1024, &part.file);
        from.seek(io::SeekFrom::Start(HEADER as u64))
            .map_err(RecordingError::io(&part.path, "read"))?;
        Ok(Self {
            part,
            index,
            number,
            from,
            length,
            at: HEADER as u64,
            next: 0,
            buffer: Vec::new(),
        })
    }

    /// The next frame, opened; or the end, or the torn tail before it.
    pub(super) fn step(&mut self) -> Result<Step<'_>, RecordingError> {
        let left = self.length.saturating_sub(self.at);
        if left == 0 {
            return Ok(Step::End);
        }
        let torn = Step::Torn(Torn {
            part: self.number,
            at: self.at,
            bytes: left,
        });
        if left < 4 {
            return Ok(torn);
        }
        let mut length = [0; 4];
        self.read(&mut length)?;
        let length = u32::from_be_bytes(length);
        let place = Place {
            part: self.index,
            number: self.next,
            offset: self.at + 4,
            length,
        };
        if length == 0 {
            // Zeros to the end of the file: how file systems leave what was not written in time.
            return if self.only_zeros()? {
                Ok(torn)
            } else {
                Err(self.part.damaged(self.next, self.at))
            };
        }
        if (length as usize) < TAG || length as usize > MAX_FRAME + TAG {
            return Err(self.part.damaged(self.next, self.at));
        }
        if u64::from(length) > left - 4 {
            return Ok(torn);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length as usize, 0);
        self.read(&mut buffer)?;
        self.buffer = buffer;
        let number = self.next;
        self.at += 4 + u64::from(length);
        self.next += 1;
        let plain = self
            .part
            .opener
            .open(number, &mut self.buffer)
            .map_err(|_| self.part.damaged(number, place.offset))?;
        Ok(Step::Frame(place, plain))
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), RecordingError> {
        let read = self.from.read_exact(into);
        read.map_err(RecordingError::io(&self.part.path, "read"))
    }

    fn only_zeros(&mut self) -> Result<bool, RecordingError> {
        let mut piece = [0; 4096];
        let mut left = self.length - self.at - 4;
        while left > 0 {
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let into = piece.get_mut(..take).unwrap_or_default();
            self.from
                .read_exact(into)
                .map_err(RecordingError::io(&self.part.path, "read"))?;
            if into.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            left -= take as u64;
        }
        Ok(true)
    }
}
