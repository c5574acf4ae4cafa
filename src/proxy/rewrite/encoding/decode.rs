//! Undoes content codings while streaming, in bounded memory and with a bound on what a bomb may unfold to.

use super::Coding;
use super::budget::{Budget, DecodeError};
use super::inflate::{Deflate, Gzip};
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

/// RFC 9659: a zstd content coding needs no window above 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
const STEP: usize = 16 * 1024;

enum Engine {
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli {
        state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
        started: bool,
        ended: bool,
    },
    Zstd {
        engine: zstd::stream::raw::Decoder<'static>,
        /// Whether the last frame is whole; true before the first.
        whole: bool,
    },
}

impl Engine {
    fn new(coding: Coding) -> Result<Self, DecodeError> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(Gzip::default()),
            Coding::Deflate => Self::Deflate(Deflate::default()),
            Coding::Brotli => Self::Brotli {
                state: Box::new(BrotliState::new(
                    StandardAlloc::default(),
                    StandardAlloc::default(),
                    StandardAlloc::default(),
                )),
                started: false,
                ended: false,
            },
            Coding::Zstd => {
                let mut engine =
                    zstd::stream::raw::Decoder::new().map_err(|_| DecodeError::Corrupt)?;
                engine
                    .set_parameter(zstd::stream::raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(|_| DecodeError::Corrupt)?;
                Self::Zstd {
                    engine,
                    whole: true,
                }
            }
        })
    }

    fn run(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        budget: &mut Budget,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Gzip(gzip) => gzip.run(input, out, budget),
            Self::Deflate(deflate) => deflate.run(input, out, budget),
            Self::Brotli { ended: true, .. } => Ok(()),
            Self::Brotli {
                state,
                started,
                ended,
            } => {
                *started |= !input.is_empty();
                *ended = unbrotli(state, input, out, budget)?;
                Ok(())
            }
            Self::Zstd { engine, whole } => unzstd(engine, whole, input, out, budget),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_complete(),
            Self::Deflate(deflate) => deflate.is_complete(),
            Self::Brotli { started, ended, .. } => *ended || !*started,
            Self::Zstd { whole, .. } => *whole,
        }
    }
}

fn unbrotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    input: &[u8],
    out: &mut Vec<u8>,
    budget: &mut Budget,
) -> Result<bool, DecodeError> {
    let mut scratch = [0u8; STEP];
    let (mut left, mut at, mut total) = (input.len(), 0, 0);
    loop {
        let (mut room, mut wrote) = (STEP, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            input,
            &mut room,
            &mut wrote,
            &mut scratch,
            &mut total,
            state,
        );
        budget.spend(wrote)?;
        out.extend_from_slice(scratch.get(..wrote).unwrap_or_default());
        match result {
            BrotliResult::ResultSuccess => return Ok(true),
            BrotliResult::NeedsMoreInput => return Ok(false),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(DecodeError::Corrupt),
        }
    }
}

fn unzstd(
    engine: &mut zstd::stream::raw::Decoder<'static>,
    whole: &mut bool,
    input: &[u8],
    out: &mut Vec<u8>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let mut scratch = [0u8; STEP];
    let mut source = InBuffer::around(input);
    loop {
        let mut sink = OutBuffer::around(&mut scratch[..]);
        let had = source.pos();
        let hint = engine
            .run(&mut source, &mut sink)
            .map_err(|_| DecodeError::Corrupt)?;
        let wrote = sink.pos();
        budget.spend(wrote)?;
        out.extend_from_slice(scratch.get(..wrote).unwrap_or_default());
        if source.pos() > had || wrote > 0 {
            *whole = hint == 0;
        }
        let is_idle = source.pos() == had && wrote == 0;
        if is_idle || (source.pos() >= input.len() && wrote < STEP) {
            return Ok(());
        }
    }
}

/// Undoes a stack of codings. What goes in comes out as soon as the codings allow.
pub struct Decoder {
    /// Outermost first.
    layers: Vec<(Engine, Budget)>,
}

impl Decoder {
    /// `codings` in the order in which they were applied. `most_bytes` bounds what each layer unfolds to
    /// in all, `most_ratio` the bytes out for each byte in (looked at above 1 MiB).
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] where a coding's library cannot be set up.
    pub fn new(codings: &[Coding], most_bytes: u64, most_ratio: u64) -> Result<Self, DecodeError> {
        let layers = codings
            .iter()
            .rev()
            .map(|coding| Ok((Engine::new(*coding)?, Budget::new(most_bytes, most_ratio))));
        Ok(Self {
            layers: layers.collect::<Result<_, DecodeError>>()?,
        })
    }

    /// Whether there is nothing to undo.
    pub fn is_identity(&self) -> bool {
        self.layers.is_empty()
    }

    /// Undoes `input`. The output of one call is bounded by the ratio: give small pieces for small pieces.
    ///
    /// # Errors
    /// Corrupt input or a broken bound; the decoder is of no use after.
    pub fn push(&mut self, input: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = input.to_vec();
        for (engine, budget) in &mut self.layers {
            budget.read = budget.read.saturating_add(bytes.len() as u64);
            let mut out = Vec::with_capacity(bytes.len().saturating_mul(4));
            engine.run(&bytes, &mut out, budget)?;
            bytes = out;
        }
        Ok(bytes)
    }

    /// Says that the input is over. An entirely empty input is an empty output, as browsers read it.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] where a layer is not whole.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.layers.iter().all(|(engine, _)| engine.is_complete()) {
            Ok(())
        } else {
            Err(DecodeError::Truncated)
        }
    }
}
