//! Content codings undone, up to a bound (RFC 9110 §8.4).

use http::{HeaderMap, header};
use std::io::Read;

/// One coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The body's coding; `None` where it is plain.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Coding>, &'static str> {
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(text) = value.to_str() else {
            return Err("its content coding is not readable, so it cannot be redacted");
        };
        for name in text.split(',').map(str::trim) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                _ => return Err("its content coding is not known, so it cannot be redacted"),
            };
            if found.replace(coding).is_some() {
                return Err("it is coded more than once, so it cannot be redacted");
            }
        }
    }
    Ok(found)
}

impl Coding {
    /// The plain bytes, at most `max` of them.
    pub(super) fn decode(self, bytes: &[u8], max: usize) -> Result<Vec<u8>, &'static str> {
        const BROKEN: &str = "its content coding is broken, so it cannot be redacted";
        match self {
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(bytes), max),
            // Said to be zlib (RFC 1950), and often without its frame.
            Self::Deflate => read(flate2::read::ZlibDecoder::new(bytes), max)
                .or_else(|_| read(flate2::read::DeflateDecoder::new(bytes), max)),
            Self::Brotli => read(brotli::Decompressor::new(bytes, 4096), max),
            Self::Zstd => match zstd::stream::read::Decoder::new(bytes) {
                Ok(decoder) => read(decoder, max),
                Err(_) => Err(BROKEN),
            },
        }
    }
}

fn read(from: impl Read, max: usize) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit)
        .read_to_end(&mut out)
        .map_err(|_| "its content coding is broken, so it cannot be redacted")?;
    if out.len() > max {
        return Err("it unfolds to too much to be redacted");
    }
    Ok(out)
}
