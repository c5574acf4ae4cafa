//! An exchange while it is recorded, and the way of its bytes onto the tape.

use super::about::About;
use super::digest;
use super::error::RecordingError;
use super::frame::Effort;
use super::head::{Begin, Data, Head};
use super::kept::Spot;
use super::part::PartWriter;
use super::side::{Chunks, SideState};
use super::taped::Which;
use crate::model::{ExchangeId, Record, Timestamp};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One exchange that is being recorded.
pub(super) struct Exchange {
    pub(super) about: About,
    pub(super) begin: Begin,
    pub(super) record: Record,
    pub(super) broken: Arc<AtomicBool>,
    pub(super) first: Spot,
    /// Request, received, shown.
    pub(super) sides: [Option<SideState>; 3],
    /// Why nothing more of it is recorded.
    pub(super) failed: Option<String>,
}

/// Chunks and heads on their way to one part.
pub(super) struct Onto<'a> {
    pub(super) part: &'a mut PartWriter,
    pub(super) exchange: ExchangeId,
    pub(super) effort: Effort,
    pub(super) error: Option<RecordingError>,
}

impl Onto<'_> {
    pub(super) fn head(&mut self, head: &Head) {
        if self.error.is_none() {
            self.error = self.part.head(head).err();
        }
    }

    pub(super) fn kept(&mut self, bytes: &[u8]) -> Option<String> {
        match self.part.chunk(bytes, self.effort) {
            Ok(digest) => Some(digest::encode(&digest)),
            Err(why) => {
                self.error.get_or_insert(why);
                None
            }
        }
    }
}

impl Chunks for Onto<'_> {
    fn chunk(&mut self, side: Which, at: Timestamp, bytes: &[u8]) {
        if let Some(chunk) = self.kept(bytes) {
            let x = self.exchange;
            self.head(&Head::Data(Data { x, side, at, chunk }));
        }
    }
}
