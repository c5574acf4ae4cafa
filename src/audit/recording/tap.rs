//! The data plane's end of the recorder: one for each exchange that is recorded.

use super::counters::add;
use super::kept::Kept;
use super::queue::Queue;
use super::taped::{From, Kind, Which};
use super::work::{Closed, Ending, Lost, Work};
use crate::audit::receipt::Receipt;
use crate::model::{ExchangeId, OnOverrun, Record, RecordRule, Timestamp};
use bytes::Bytes;
use http::HeaderMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is smaller is copied: a few bytes would else keep a whole read buffer in memory.
const COPIED: usize = 4096;

/// An exchange on its way to the tape. Clones are of the same exchange. Where nobody ends it, it ends as dropped.
#[derive(Clone)]
pub struct Tap(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    exchange: ExchangeId,
    rule: RecordRule,
    broken: Arc<AtomicBool>,
    /// The recorder knows of it.
    is_begun: bool,
    is_ended: AtomicBool,
    is_rewritten: AtomicBool,
    lost: [AtomicU64; 5],
}

/// The exchange must be recorded and cannot: it must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun;

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this exchange must be recorded, and the recorder cannot keep up or cannot write",
        )
    }
}

impl std::error::Error for Overrun {}

impl Tap {
    pub(super) fn new(
        queue: Arc<Queue>,
        exchange: ExchangeId,
        rule: RecordRule,
        broken: Arc<AtomicBool>,
        is_begun: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            queue,
            exchange,
            rule,
            broken,
            is_begun,
            is_ended: AtomicBool::new(false),
            is_rewritten: AtomicBool::new(false),
            lost: Default::default(),
        }))
    }

    pub fn record(&self) -> Record {
        self.0.rule.record
    }

    /// A side's head.
    pub fn headers(
        &self,
        side: Which,
        status: Option<u16>,
        headers: &HeaderMap,
    ) -> Result<(), Overrun> {
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        let work = Work::Headers {
            exchange: self.0.exchange,
            side,
            at: Timestamp::now(),
            status,
            headers: headers.clone(),
        };
        let is_kept = !self.is_broken() && self.0.queue.offer(work, bytes);
        self.kept_or(is_kept, || self.lose(side, 1))
    }

    /// The next bytes of a side's body.
    pub fn data(&self, side: Which, bytes: &Bytes) -> Result<(), Overrun> {
        if self.0.rule.record != Record::Bodies || bytes.is_empty() {
            return Ok(());
        }
        let is_kept = !self.is_broken() && self.lost(side) == 0 && {
            let work = Work::Data {
                exchange: self.0.exchange,
                side,
                at: Timestamp::now(),
                bytes: kept(bytes),
            };
            self.0.queue.offer(work, bytes.len())
        };
        self.kept_or(is_kept, || self.lose(side, bytes.len() as u64))
    }

    /// A whole WebSocket message; `withheld`: why its `bytes` are not all that it had, `length` being that.
    pub fn message(
        &self,
        from: From,
        kind: Kind,
        length: u64,
        bytes: Bytes,
        withheld: Option<&'static str>,
    ) -> Result<(), Overrun> {
        if self.0.rule.record != Record::Bodies {
            return Ok(());
        }
        let cost = bytes.len();
        let work = Work::Message {
            exchange: self.0.exchange,
            at: Timestamp::now(),
            from,
            kind,
            length,
            bytes,
            withheld,
        };
        let is_kept = !self.is_broken() && self.0.queue.offer(work, cost);
        self.kept_or(is_kept, || {
            self.add(3, 1);
            self.add(4, length);
        })
    }

    /// The operator gets other bytes than the app sent.
    pub fn rewrites(&self) {
        self.0.is_rewritten.store(true, Ordering::Relaxed);
    }

    /// The exchange is over; its closing record is written once the tape has it.
    pub fn close(&self, receipt: Receipt, closed: Closed, request_is_whole: bool) {
        let outcome = closed.outcome;
        let response_is_whole = outcome == crate::audit::Outcome::Done;
        let ending = self.ending(outcome.as_str(), request_is_whole, response_is_whole);
        let Some(mut ending) = ending else { return };
        if !self.0.is_begun {
            add(&self.0.queue.counters.gaps, 1);
            let kept = Kept {
                record: self.0.rule.record,
                lost_bytes: ending.lost.bytes(),
                lost_messages: ending.lost.messages,
                why: "the recorder could not keep up".to_owned(),
                ..Kept::default()
            };
            return closed.write(receipt, Some(&kept));
        }
        ending.closing = Some((receipt, closed));
        self.0.queue.put(Work::End(Box::new(ending)));
    }

    /// The exchange is over; its record is written already, or never will be.
    pub fn end(&self, outcome: &'static str, is_whole: bool) {
        let ending = self.ending(outcome, is_whole, is_whole);
        if let Some(ending) = ending.filter(|_| self.0.is_begun) {
            self.0.queue.put(Work::End(Box::new(ending)));
        }
    }

    fn ending(
        &self,
        outcome: &'static str,
        request_is_whole: bool,
        response_is_whole: bool,
    ) -> Option<Ending> {
        self.0.ending(outcome, request_is_whole, response_is_whole)
    }

    fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }

    fn kept_or(&self, is_kept: bool, lose: impl FnOnce()) -> Result<(), Overrun> {
        if is_kept {
            return Ok(());
        }
        lose();
        if self.0.rule.on_overrun == OnOverrun::Gap {
            return Ok(());
        }
        add(&self.0.queue.counters.refused, 1);
        Err(Overrun)
    }

    fn lost(&self, side: Which) -> u64 {
        let lost = self.0.lost.get(side as usize);
        lost.map_or(0, |lost| lost.load(Ordering::Relaxed))
    }

    fn lose(&self, side: Which, bytes: u64) {
        self.add(side as usize, bytes);
    }

    fn add(&self, which: usize, n: u64) {
        if let Some(lost) = self.0.lost.get(which) {
            lost.fetch_add(n, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// `None` where it has ended already.
    fn ending(
        &self,
        outcome: &'static str,
        request_is_whole: bool,
        response_is_whole: bool,
    ) -> Option<Ending> {
        if self.is_ended.swap(true, Ordering::Relaxed) {
            return None;
        }
        let [request, received, shown, messages, message_bytes] = [0, 1, 2, 3, 4].map(|which| {
            self.lost
                .get(which)
                .map_or(0, |n| n.load(Ordering::Relaxed))
        });
        Some(Ending {
            exchange: self.exchange,
            at: Timestamp::now(),
            closing: None,
            outcome,
            request_is_whole,
            response_is_whole,
            is_rewritten: self.is_rewritten.load(Ordering::Relaxed),
            lost: Lost {
                request,
                received,
                shown,
                messages,
                message_bytes,
            },
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let ending = self.ending("aborted", false, false);
        if let Some(ending) = ending.filter(|_| self.is_begun) {
            self.queue.put(Work::End(Box::new(ending)));
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Tap({}, {})",
            self.0.exchange,
            self.0.rule.record.as_str()
        )
    }
}

fn kept(bytes: &Bytes) -> Bytes {
    if bytes.len() < COPIED {
        Bytes::copy_from_slice(bytes)
    } else {
        bytes.clone()
    }
}
