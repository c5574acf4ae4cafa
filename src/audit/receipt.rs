//! The proof that an opening is on record. Whoever holds it owes a close; dropped work closes itself as aborted.

use super::core::Core;
use super::encode::{Context, micros};
use super::record::{Closing, Outcome};
use crate::model::ExchangeId;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// One open exchange. Only [`super::Journal::open`] makes one, and forwarding should demand it.
#[must_use = "an exchange that nobody closes is recorded as aborted"]
pub struct Receipt {
    core: Arc<Core>,
    context: Context,
    opened: Instant,
    is_open: bool,
}

impl Receipt {
    pub(super) fn new(core: Arc<Core>, context: Context) -> Self {
        Self {
            core,
            context,
            opened: Instant::now(),
            is_open: true,
        }
    }

    pub fn exchange(&self) -> ExchangeId {
        self.context.exchange
    }

    /// Records how the exchange ended. Never fails and never waits for a disk that refuses: then the record is queued.
    pub fn close(mut self, closing: &Closing<'_>) {
        self.write(closing);
    }

    fn write(&mut self, closing: &Closing<'_>) {
        self.is_open = false;
        let total = micros(closing.total.unwrap_or_else(|| self.opened.elapsed()));
        self.core.close(&self.context, closing, total);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.is_open {
            self.core.count_aborted();
            self.write(&Closing {
                outcome: Outcome::Aborted,
                cause: "dropped",
                ..Closing::default()
            });
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receipt")
            .field(&self.context.exchange)
            .finish()
    }
}
