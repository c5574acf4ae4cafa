//! Streaming gzip (RFC 1952) and deflate (RFC 1950, 1951), one bounded step at a time.

use super::budget::{Budget, DecodeError};
use flate2::{Crc, Decompress, FlushDecompress, Status};

const STEP: usize = 16 * 1024;

/// Runs `engine` over `input`; returns how much was taken and whether the deflate stream ended.
fn inflate(
    engine: &mut Decompress,
    input: &[u8],
    out: &mut Vec<u8>,
    budget: &mut Budget,
) -> Result<(usize, bool), DecodeError> {
    let mut scratch = [0u8; STEP];
    let mut taken = 0;
    loop {
        let (before_in, before_out) = (engine.total_in(), engine.total_out());
        let rest = input.get(taken..).unwrap_or_default();
        let status = engine
            .decompress(rest, &mut scratch, FlushDecompress::None)
            .map_err(|_| DecodeError::Corrupt)?;
        let read = usize::try_from(engine.total_in() - before_in).unwrap_or(usize::MAX);
        let wrote = usize::try_from(engine.total_out() - before_out).unwrap_or(usize::MAX);
        taken = taken.saturating_add(read);
        budget.spend(wrote)?;
        out.extend_from_slice(scratch.get(..wrote).unwrap_or_default());
        if matches!(status, Status::StreamEnd) {
            return Ok((taken, true));
        }
        // Output may wait inside the engine after the input is used up: go on until a call does nothing.
        if read == 0 && wrote == 0 {
            return if taken >= input.len() {
                Ok((taken, false))
            } else {
                Err(DecodeError::Corrupt)
            };
        }
    }
}

/// RFC 1950 or, where the first byte cannot be its header, RFC 1951.
#[derive(Default)]
pub(super) struct Deflate {
    engine: Option<Decompress>,
    ended: bool,
}

impl Deflate {
    pub(super) fn run(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Result<(), DecodeError> {
        let Some(&first) = input.first() else {
            return Ok(());
        };
        if self.ended {
            // Browsers ignore what follows the end; so does this, and it is not passed on.
            return Ok(());
        }
        // CM = 8 and CINFO <= 7 make a zlib header; a raw block never starts with type bits 00 and these.
        let is_zlib = first & 0x0f == 8 && first >> 4 <= 7;
        let engine = self.engine.get_or_insert_with(|| Decompress::new(is_zlib));
        (_, self.ended) = inflate(engine, input, out, budget)?;
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended || self.engine.is_none()
    }
}

enum Stage {
    Header(Vec<u8>),
    Body(Box<Decompress>),
    Trailer(Vec<u8>),
    Done,
}

/// One gzip member; what follows it is ignored, as browsers do.
pub(super) struct Gzip {
    stage: Stage,
    crc: Crc,
}

/// A gzip header with a name or comment longer than this is not meant for browsers.
const LONGEST_HEADER: usize = 64 * 1024;

impl Default for Gzip {
    fn default() -> Self {
        Self {
            stage: Stage::Header(Vec::new()),
            crc: Crc::new(),
        }
    }
}

impl Gzip {
    pub(super) fn run(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Result<(), DecodeError> {
        while !input.is_empty() {
            match &mut self.stage {
                Stage::Header(held) => {
                    let had = held.len();
                    held.extend_from_slice(input);
                    match header_length(held)? {
                        Some(length) => {
                            input = input.get(length.saturating_sub(had)..).unwrap_or_default();
                            self.stage = Stage::Body(Box::new(Decompress::new(false)));
                        }
                        None if held.len() > LONGEST_HEADER => return Err(DecodeError::Corrupt),
                        None => return Ok(()),
                    }
                }
                Stage::Body(engine) => {
                    let start = out.len();
                    let (taken, ended) = inflate(engine, input, out, budget)?;
                    self.crc.update(out.get(start..).unwrap_or_default());
                    input = input.get(taken..).unwrap_or_default();
                    if ended {
                        self.stage = Stage::Trailer(Vec::new());
                    } else {
                        return Ok(());
                    }
                }
                Stage::Trailer(held) => {
                    let need = 8 - held.len().min(8);
                    let (now, rest) = input.split_at(need.min(input.len()));
                    held.extend_from_slice(now);
                    input = rest;
                    if let Ok(bytes) = <[u8; 8]>::try_from(held.as_slice()) {
                        let word = u64::from_le_bytes(bytes);
                        let good = word
                            == u64::from(self.crc.sum()) | (u64::from(self.crc.amount()) << 32);
                        if !good {
                            return Err(DecodeError::Corrupt);
                        }
                        self.stage = Stage::Done;
                    }
                }
                Stage::Done => return Ok(()),
            }
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        match &self.stage {
            Stage::Done => true,
            Stage::Header(held) => held.is_empty(),
            _ => false,
        }
    }
}

/// The length of a whole gzip header, `None` while more is needed.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let magic = [0x1f, 0x8b, 8];
    if bytes.iter().zip(magic).any(|(have, want)| *have != want) {
        return Err(DecodeError::Corrupt);
    }
    let Some(&flags) = bytes.get(3) else {
        return Ok(None);
    };
    if flags & 0xe0 != 0 {
        return Err(DecodeError::Corrupt);
    }
    let mut at = 10;
    if flags & 4 != 0 {
        let (Some(&low), Some(&high)) = (bytes.get(at), bytes.get(at + 1)) else {
            return Ok(None);
        };
        at += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            match memchr::memchr(0, rest) {
                Some(zero) => at += zero + 1,
                None => return Ok(None),
            }
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    Ok((bytes.len() >= at).then_some(at))
}
