//! Applies one content coding while streaming: each push comes out at once, so that slow pages still stream.

use super::Coding;
use std::io::Write;

/// Fast, since documents are compressed on the way to one reader.
const BROTLI_QUALITY: u32 = 1;
const BROTLI_WINDOW: u32 = 18;
const ZSTD_LEVEL: i32 = 1;

enum Engine {
    Identity,
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

/// A streaming encoder that flushes after each push.
pub struct Encoder(Engine);

impl Encoder {
    /// `None` leaves the bytes as they are.
    ///
    /// # Errors
    /// Where the library cannot be set up (out of memory).
    pub fn new(coding: Option<Coding>) -> std::io::Result<Self> {
        let fast = flate2::Compression::fast();
        Ok(Self(match coding {
            None => Engine::Identity,
            Some(Coding::Gzip) => Engine::Gzip(flate2::write::GzEncoder::new(Vec::new(), fast)),
            Some(Coding::Deflate) => {
                Engine::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), fast))
            }
            Some(Coding::Brotli) => Engine::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                4096,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Some(Coding::Zstd) => {
                Engine::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?)
            }
        }))
    }

    /// Whether bytes leave as they came.
    pub fn is_identity(&self) -> bool {
        matches!(self.0, Engine::Identity)
    }

    /// Encodes `input`; all of it can be decoded from what has come out so far.
    ///
    /// # Errors
    /// None that a memory sink can cause; kept for the libraries' signatures.
    pub fn push(&mut self, input: &[u8]) -> std::io::Result<Vec<u8>> {
        if input.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match &mut self.0 {
            Engine::Identity => input.to_vec(),
            Engine::Gzip(engine) => {
                engine.write_all(input)?;
                engine.flush()?;
                std::mem::take(engine.get_mut())
            }
            Engine::Deflate(engine) => {
                engine.write_all(input)?;
                engine.flush()?;
                std::mem::take(engine.get_mut())
            }
            Engine::Brotli(engine) => {
                engine.write_all(input)?;
                engine.flush()?;
                std::mem::take(engine.get_mut())
            }
            Engine::Zstd(engine) => {
                engine.write_all(input)?;
                engine.flush()?;
                std::mem::take(engine.get_mut())
            }
        })
    }

    /// Ends the coding; returns its last bytes.
    ///
    /// # Errors
    /// As [`Encoder::push`].
    pub fn finish(self) -> std::io::Result<Vec<u8>> {
        match self.0 {
            Engine::Identity => Ok(Vec::new()),
            Engine::Gzip(engine) => engine.finish(),
            Engine::Deflate(engine) => engine.finish(),
            Engine::Brotli(engine) => Ok(engine.into_inner()),
            Engine::Zstd(engine) => engine.finish(),
        }
    }
}
