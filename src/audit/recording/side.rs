//! One side of an exchange while it is recorded: digests of the true bytes, chunks of what may be stored.

use super::digest::{self, Digest};
use super::frame::CHUNK;
use super::head::BodyEnd;
use super::redact::Filter;
use super::taped::Which;
use crate::model::{ExchangeId, Timestamp};
use aws_lc_rs::digest::{Context, SHA256};

/// How long bytes wait to become a whole chunk. Longer, and the tape would not tell when they passed. Milliseconds.
const PATIENCE: i64 = 250;

/// A side's body so far.
pub(super) struct SideState {
    which: Which,
    truth: Context,
    bytes: u64,
    stored: Context,
    stored_bytes: u64,
    filter: Filter,
    pending: Vec<u8>,
    pending_at: Timestamp,
    /// Each piece is a chunk of its own: when it came is what it is about.
    is_eager: bool,
    withheld: Option<String>,
    is_over: bool,
}

/// Where chunks go: to the tape, with the time at which they passed.
pub(super) trait Chunks {
    fn chunk(&mut self, side: Which, at: Timestamp, bytes: &[u8]);
}

impl SideState {
    pub(super) fn new(which: Which, filter: Filter, is_eager: bool) -> Self {
        Self {
            which,
            truth: Context::new(&SHA256),
            bytes: 0,
            stored: Context::new(&SHA256),
            stored_bytes: 0,
            filter,
            pending: Vec::new(),
            pending_at: Timestamp::from_millis(0),
            is_eager,
            withheld: None,
            is_over: false,
        }
    }

    /// The next bytes.
    pub(super) fn data(&mut self, at: Timestamp, bytes: &[u8], to: &mut impl Chunks) {
        self.truth.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.withheld.is_some() {
            return;
        }
        if self.pending.is_empty() {
            self.pending_at = at;
        } else if at.millis() - self.pending_at.millis() > PATIENCE {
            self.flush(to);
            self.pending_at = at;
        }
        if let Err(why) = self.filter.push(bytes, &mut self.pending) {
            self.withheld = Some(why.to_owned());
        }
        self.cut(at, to);
    }

    /// Gives out whole chunks.
    fn cut(&mut self, at: Timestamp, to: &mut impl Chunks) {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while let Some((chunk, after)) = rest.split_at_checked(CHUNK) {
            self.give(chunk, to);
            self.pending_at = at;
            rest = after;
        }
        if rest.len() == pending.len() {
            self.pending = pending;
        } else {
            self.pending = rest.to_vec();
        }
        if self.is_eager {
            self.flush(to);
        }
    }

    fn give(&mut self, chunk: &[u8], to: &mut impl Chunks) {
        self.stored.update(chunk);
        self.stored_bytes += chunk.len() as u64;
        to.chunk(self.which, self.pending_at, chunk);
    }

    /// Gives out what there is.
    pub(super) fn flush(&mut self, to: &mut impl Chunks) {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.give(&pending, to);
        }
    }

    /// What waits, for how long.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        !self.pending.is_empty() && now.millis() - self.pending_at.millis() > PATIENCE
    }

    /// SHA-256 of the true bytes so far.
    pub(super) fn truth(&self) -> Digest {
        finished(&self.truth)
    }

    pub(super) fn is_withheld(&self) -> bool {
        self.withheld.is_some()
    }

    /// The body is over. `lost`: bytes of it that never came here; `known`: the digest of all of it, from elsewhere.
    pub(super) fn end(
        &mut self,
        exchange: ExchangeId,
        is_whole: bool,
        lost: u64,
        known: Option<Digest>,
        to: &mut impl Chunks,
    ) -> Option<BodyEnd> {
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let mut is_decoded = false;
        if self.withheld.is_none() && lost == 0 {
            match self.filter.finish(&mut self.pending) {
                Ok(finished) => is_decoded = finished.is_decoded,
                Err(why) => self.withheld = Some(why.to_owned()),
            }
        }
        let at = self.pending_at;
        self.cut(at, to);
        self.flush(to);
        let truth = if lost == 0 { Some(self.truth()) } else { known };
        let stored = finished(&self.stored);
        let is_changed = lost == 0 && self.withheld.is_none() && Some(stored) != truth;
        Some(BodyEnd {
            x: exchange,
            side: self.which,
            bytes: self.bytes + lost,
            sha256: truth
                .map(|digest| digest::encode(&digest))
                .unwrap_or_default(),
            stored_sha256: is_changed.then(|| digest::encode(&stored)),
            whole: is_whole && lost == 0 && self.withheld.is_none(),
            redacted: is_changed,
            decoded: is_decoded,
            withheld: self.withheld.clone(),
            same: None,
        })
    }
}

fn finished(context: &Context) -> Digest {
    let digest = context.clone().finish();
    digest.as_ref().try_into().unwrap_or_default()
}
