//! What receipts, the committer and the sinks share of the journal: one line at a time, chained and written.

use super::chain;
use super::counters::{Counters, add};
use super::encode::{Context, Encoder};
use super::encode_own::Own;
use super::error::Refused;
use super::event::Event;
use super::part;
use super::record::Closing;
use super::settings::Durability;
use super::told::Whose;
use super::writer::{Change, Writer};
use crate::model::Clock;
use parking_lot::{Condvar, Mutex};
use std::cell::RefCell;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// A buffer that grew beyond this is not kept. Bytes.
const BUFFER: usize = 64 << 10;

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's line buffer, empty.
pub(super) fn with_line<R>(act: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    LINE.with(|line| match line.try_borrow_mut() {
        Ok(mut line) => {
            line.clear();
            let result = act(&mut line);
            line.shrink_to(BUFFER);
            result
        }
        Err(_) => act(&mut Vec::new()),
    })
}

/// What receipts, the committer and the sinks share.
pub(super) struct Core {
    pub(super) writer: Mutex<Writer>,
    pub(super) wake: Condvar,
    pub(super) stopping: AtomicBool,
    /// Whom a sink that lags keeps out.
    pub(super) gate: Gate,
    /// The same for the log, whose checkpoints lag.
    pub(super) log_gate: Gate,
    /// The same for the disk, before it is full.
    pub(super) room_gate: Gate,
    pub(super) counters: Arc<Counters>,
    pub(super) encoder: Arc<Encoder>,
    pub(super) clock: Clock,
    pub(super) durability: Durability,
    /// Held until the journal is stopped.
    pub(super) lock: Mutex<Option<File>>,
}

impl Core {
    /// Writes now; what is returned settles when the record is kept.
    pub(super) fn write(
        &self,
        line: &mut Vec<u8>,
        change: Change,
        whose: Whose<'_>,
    ) -> Result<Wait, Refused> {
        let context = chain::hash_body(line);
        let mut writer = self.writer.lock();
        writer.record(line, context, change, whose)?;
        if self.durability == Durability::Process {
            return Ok(None);
        }
        let wait = writer.wait();
        drop(writer);
        self.wake.notify_one();
        Ok(Some(wait))
    }

    pub(super) fn close(self: &Arc<Self>, context: &Context, closing: &Closing<'_>, total_us: u64) {
        let must_flush = with_line(|line| {
            let now = self.clock.now();
            self.encoder.closing(line, context, closing, total_us, now);
            let change = Change::Closes(context.exchange);
            let whose = part::whose(context.session.as_ref());
            self.writer.lock().record_soon(line, change, whose)
        });
        if must_flush {
            self.flush_soon();
        }
    }

    /// Writes what is pending once the tasks that are ready now had their turn: one write for all their closings, or
    /// none, where an opening has taken them along.
    fn flush_soon(self: &Arc<Self>) {
        let core = Arc::clone(self);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { core.writer.lock().flush() })),
            Err(_) => self.writer.lock().flush(),
        }
    }

    pub(super) fn note(&self, event: &Event<'_>) {
        with_line(|line| {
            self.encoder.event(line, event, self.clock.now());
            self.writer.lock().record_later(line, Change::None);
        });
    }

    pub(super) fn note_own(&self, own: &Own<'_>) {
        with_line(|line| {
            self.encoder.own(line, own, self.clock.now());
            self.writer.lock().record_later(line, Change::None);
        });
    }

    pub(super) fn now(&self) -> crate::model::Timestamp {
        self.clock.now()
    }

    pub(super) fn count_aborted(&self) {
        add(&self.counters.aborted, 1);
    }

    /// Whether there is room for the records of one more request.
    pub(super) fn has_room(&self) -> Result<(), Refused> {
        let checked = self.room_gate.check();
        if checked.is_err() {
            add(&self.counters.refused, 1);
        }
        checked
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        self.gate.check()?;
        self.log_gate.check()?;
        self.room_gate.check()?;
        self.writer.lock().check()
    }
}

/// Closed while a sink, or the log, lags whose `on_lag` says so. Open, it costs one load.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_closed: AtomicBool,
    why: Mutex<Option<Refused>>,
}

impl Gate {
    pub(super) fn check(&self) -> Result<(), Refused> {
        if !self.is_closed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.why.lock().clone().map_or(Ok(()), Err)
    }

    /// Closes it for the reason, or opens it.
    pub(super) fn set(&self, why: Option<Refused>) {
        let is_closed = why.is_some();
        *self.why.lock() = why;
        self.is_closed.store(is_closed, Ordering::Release);
    }
}

pub(super) type Wait = Option<oneshot::Receiver<Result<(), Refused>>>;

pub(super) async fn settled(wait: Wait) -> Result<(), Refused> {
    let Some(wait) = wait else { return Ok(()) };
    wait.await.unwrap_or_else(|_| Err(Refused::stopped()))
}
