//! The spare file in the writer: when there should be one, and how it becomes a segment.

use super::growing::MOST;
use super::spare::{self, Spare, Wanted};
use super::writer::Writer;

impl Writer {
    /// Whether there should be a spare file: where a segment comes to its size, and not only to its age.
    pub(super) fn wants_spare(&self) -> Option<Wanted> {
        let len = self.segment.as_ref().map_or(0, |segment| segment.len);
        let grows = len > self.segment_bytes / 8;
        let room = self.segment_bytes.min(MOST);
        let wanted = || Wanted::new(&self.files, &self.dir, room);
        let may = !self.closed && self.outage.is_none();
        (grows && may && self.spare.is_none()).then(wanted)
    }

    pub(super) fn keep_spare(&mut self, spare: Spare) {
        if self.closed || self.outage.is_some() {
            spare::forget(&self.dir);
        } else {
            self.spare = Some(spare);
        }
    }

    /// Gives its room back: where there is little left, the records at hand need it more.
    pub(super) fn forget_spare(&mut self) {
        if self.spare.take().is_some() {
            spare::forget(&self.dir);
        }
    }
}
