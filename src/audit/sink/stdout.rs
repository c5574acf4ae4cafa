//! Records as lines on a stream, for container platforms that collect standard output.

use super::{Delivery, DeliveryError, Record, Sink};
use std::io::Write;

pub(super) struct StdoutSink<W> {
    to: W,
}

impl<W: Write + Send> StdoutSink<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    fn write(&mut self, batch: &[Record]) -> std::io::Result<()> {
        for record in batch {
            self.to.write_all(&record.line)?;
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }
}

impl<W: Write + Send> Sink for StdoutSink<W> {
    /// Blocks its own thread while the reader of the stream does not read.
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(async { self.write(batch).map_err(DeliveryError::later) })
    }
}
