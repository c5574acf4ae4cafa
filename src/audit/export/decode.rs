//! Undoing content codings (RFC 9110 §8.4.1), so that people and browser tools can read a body; bounded, since a small body may
//! unpack into a huge one.

use super::exchange::{charset, field};
use crate::audit::recording::{Body, Side};
use std::fmt;
use std::io::{self, Read};

/// Why a body is not given in plain form.
#[derive(Debug)]
pub enum NotPlain {
    /// Longer than this many bytes.
    TooLong(usize),
    /// A content coding that nobody here knows.
    Coding(String),
    Broken(io::Error),
}

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(most) => write!(f, "longer than {most} bytes"),
            Self::Coding(name) => write!(f, "in a content coding unknown here: {name}"),
            Self::Broken(why) => write!(f, "its content coding is broken: {why}"),
        }
    }
}

impl std::error::Error for NotPlain {}

/// The stored bytes without their content codings, at most `most` of them.
///
/// # Errors
/// Where they are more, or cannot be undone.
pub fn plain<'r>(
    side: &Side,
    body: &Body,
    stored: impl Read + 'r,
    most: usize,
) -> Result<Vec<u8>, NotPlain> {
    let codings = field(side, "content-encoding").filter(|_| !body.decoded);
    let codings = codings.unwrap_or_default();
    let mut reader: Box<dyn Read + 'r> = Box::new(stored);
    // The last one named was the last one applied.
    for coding in codings.rsplit(',').map(str::trim) {
        reader = undone(coding, reader)?;
    }
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = reader.take(limit).read_to_end(&mut plain);
    read.map_err(NotPlain::Broken)?;
    if plain.len() > most {
        return Err(NotPlain::TooLong(most));
    }
    Ok(plain)
}

fn undone<'r>(coding: &str, from: Box<dyn Read + 'r>) -> Result<Box<dyn Read + 'r>, NotPlain> {
    Ok(match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => from,
        "gzip" | "x-gzip" => Box::new(flate2::read::MultiGzDecoder::new(from)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(from)),
        "br" => Box::new(brotli::Decompressor::new(from, 64 << 10)),
        "zstd" => {
            let decoder = zstd::stream::read::Decoder::new(from);
            Box::new(decoder.map_err(NotPlain::Broken)?)
        }
        other => return Err(NotPlain::Coding(other.to_owned())),
    })
}

/// The bytes as text, by the charset of the content type, else UTF-8; `None` where they are no such text.
pub fn text(side: &Side, plain: &[u8]) -> Option<String> {
    let label = charset(side).unwrap_or_else(|| "utf-8".to_owned());
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    let (text, _, has_faults) = encoding.decode(plain);
    (!has_faults).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use std::io::Write as _;

    fn side(coding: &str) -> Side {
        Side {
            status: Some(200),
            headers: vec![("content-encoding".into(), coding.as_bytes().to_vec())],
            body: None,
            at: Timestamp::from_millis(0),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).expect("in memory");
        out.finish().expect("in memory")
    }

    #[test]
    fn codings_are_undone_in_turn_and_within_bounds() {
        let (twice, body) = (gzip(&gzip(b"words")), Body::default());
        let plain_of = |side: &Side, most| plain(side, &body, twice.as_slice(), most);
        assert_eq!(plain_of(&side("gzip, gzip"), 5).expect("plain"), b"words");
        assert!(matches!(
            plain_of(&side("gzip, gzip"), 4),
            Err(NotPlain::TooLong(4))
        ));
        assert!(matches!(
            plain_of(&side("lzw"), 9),
            Err(NotPlain::Coding(_))
        ));
        assert!(matches!(plain_of(&side("br"), 9), Err(NotPlain::Broken(_))));
        let bomb = gzip(&vec![0; 1 << 20]);
        let found = plain(&side("gzip"), &body, bomb.as_slice(), 1 << 10);
        assert!(matches!(found, Err(NotPlain::TooLong(_))));
    }

    #[test]
    fn what_was_stored_plain_is_not_undone_again() {
        let mut body = Body::default();
        body.decoded = true;
        let found = plain(&side("gzip"), &body, b"words".as_slice(), 9);
        assert_eq!(found.expect("plain"), b"words");
    }
}
