//! What compressed bytes may unfold to, and why they could not be undone.

use std::fmt;

/// Why compressed bytes could not be undone. The app's fault: the answer must be ended, not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Not what the coding allows, or a checksum that does not hold.
    Corrupt,
    /// The body ended before the compressed stream did.
    Truncated,
    /// More bytes than allowed came out: the limit in bytes.
    TooLarge(u64),
    /// More bytes came out for each byte in than allowed: the limit.
    TooDense(u64),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("the app's compressed answer is corrupt"),
            Self::Truncated => f.write_str("the app's compressed answer is cut short"),
            Self::TooLarge(most) => write!(
                f,
                "the app's document unfolds to more than {most} bytes; raise banner.max_decoded_bytes if it is meant to"
            ),
            Self::TooDense(most) => write!(
                f,
                "the app's document unfolds more than {most}:1; raise banner.max_ratio if it is meant to"
            ),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Below this many bytes out no ratio is looked at: small pages compress well.
const RATIO_SLACK: u64 = 1024 * 1024;

/// What one coding may still unfold to.
pub(super) struct Budget {
    pub(super) read: u64,
    wrote: u64,
    most_bytes: u64,
    most_ratio: u64,
}

impl Budget {
    pub(super) fn new(most_bytes: u64, most_ratio: u64) -> Self {
        Self {
            read: 0,
            wrote: 0,
            most_bytes,
            most_ratio,
        }
    }

    pub(super) fn spend(&mut self, wrote: usize) -> Result<(), DecodeError> {
        self.wrote = self.wrote.saturating_add(wrote as u64);
        if self.wrote > self.most_bytes {
            return Err(DecodeError::TooLarge(self.most_bytes));
        }
        let allowed = self.read.saturating_mul(self.most_ratio);
        if self.wrote > allowed.saturating_add(RATIO_SLACK) {
            return Err(DecodeError::TooDense(self.most_ratio));
        }
        Ok(())
    }
}
