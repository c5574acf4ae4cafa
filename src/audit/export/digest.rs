//! SHA-256 of what passes.

use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::io::{self, Write};

/// Counts and digests what is written through it.
pub(super) struct Tap<W> {
    to: W,
    context: Context,
    bytes: u64,
}

impl<W> fmt::Debug for Tap<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tap({} bytes)", self.bytes)
    }
}

impl<W: Write> Tap<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to,
            context: Context::new(&SHA256),
            bytes: 0,
        }
    }

    /// How much it was, and its SHA-256 in hexadecimal digits.
    pub(super) fn end(self) -> (u64, String) {
        (self.bytes, hex(self.context.finish().as_ref()))
    }
}

impl<W: Write> Write for Tap<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.context.update(bytes.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// SHA-256 of bytes in memory, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
