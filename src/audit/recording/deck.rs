//! The recorder's own state: exchanges under way, and what becomes of each piece of work.

use super::counters::{Counters, add};
use super::ends;
use super::error::RecordingError;
use super::exchange::{Exchange, Onto};
use super::frame::{CHUNK, Effort};
use super::head::{Head, Headers, MessageHead};
use super::kept::{Kept, Spot};
use super::redact::{Filter, fields};
use super::settings::Redaction;
use super::shelf::{Marked, Shelf};
use super::side::SideState;
use super::taped::{From, Kind, Which};
use super::work::{Beginning, Closed, Ending, Lost, Work};
use crate::audit::receipt::Receipt;
use crate::model::{ExchangeId, Record, SessionId, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, header};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A closing record that waits for the tape.
pub(super) struct Due {
    session: SessionId,
    receipt: Receipt,
    closed: Closed,
    kept: Kept,
}

pub(super) struct Deck {
    pub(super) shelf: Shelf,
    redaction: Redaction,
    counters: Arc<Counters>,
    exchanges: HashMap<ExchangeId, Exchange>,
    due: Vec<Due>,
    /// For the journal.
    pub(super) marks: Vec<Marked>,
    /// What failed since it was last asked, and for whom.
    pub(super) failures: Vec<RecordingError>,
}

impl Deck {
    pub(super) fn new(shelf: Shelf, redaction: Redaction, counters: Arc<Counters>) -> Self {
        Self {
            shelf,
            redaction,
            counters,
            exchanges: HashMap::new(),
            due: Vec::new(),
            marks: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Does one piece of work.
    pub(super) fn take(&mut self, work: Work, effort: Effort, is_down: bool) {
        match work {
            Work::Begin(beginning) => self.begin(*beginning, is_down),
            Work::Headers {
                exchange,
                side,
                at,
                status,
                headers,
            } => self.headers(exchange, side, at, status, &headers, effort),
            Work::Data {
                exchange,
                side,
                at,
                bytes,
            } => self.data(exchange, side, at, &bytes, effort),
            Work::Message {
                exchange,
                at,
                from,
                kind,
                length,
                bytes,
                withheld,
            } => self.message(exchange, (at, from, kind, length), &bytes, withheld, effort),
            Work::End(ending) => self.end(*ending, effort),
            Work::SessionEnded(session) => {
                if let Some(open) = self.shelf.get(session) {
                    open.is_ending = true;
                }
            }
            Work::Settle(_) | Work::Stop => {}
        }
    }

    fn begin(&mut self, beginning: Beginning, is_down: bool) {
        let Beginning {
            about,
            begin,
            record,
            broken,
            ready,
        } = beginning;
        add(&self.counters.exchanges, 1);
        let mut exchange = Exchange {
            about,
            begin,
            record,
            broken,
            first: Spot::default(),
            sides: [None, None, None],
            failed: is_down.then(|| "the recorder cannot write".to_owned()),
        };
        if !is_down {
            let begun = self.shelf.open(&exchange.about, &mut self.marks);
            let begun = begun.and_then(|open| {
                exchange.first = open.part.spot();
                open.part.head(&Head::Begin(exchange.begin.clone()))?;
                open.exchanges += 1;
                Ok(())
            });
            if let Err(why) = begun {
                exchange.failed = Some(why.to_string());
                self.failures.push(why);
            }
        }
        if exchange.failed.is_some() {
            exchange.broken.store(true, Ordering::Relaxed);
        }
        if let Some(ready) = ready {
            // Nobody waits any more where the request was given up.
            let _ = ready.send(exchange.failed.is_none());
        }
        self.exchanges.insert(exchange.begin.x, exchange);
    }

    /// Lets `act` write for an exchange onto its tape, if both are there.
    fn write(
        &mut self,
        exchange: ExchangeId,
        effort: Effort,
        act: impl FnOnce(&mut Exchange, &mut Onto<'_>, &Redaction),
    ) {
        let Some(found) = self.exchanges.get_mut(&exchange) else {
            return;
        };
        if found.failed.is_some() {
            return;
        }
        let session = found.about.session;
        let Some(open) = self.shelf.get(session) else {
            return self.fail(session, RecordingError::Absent { session });
        };
        let mut onto = Onto {
            part: &mut open.part,
            exchange,
            effort,
            error: None,
        };
        act(found, &mut onto, &self.redaction);
        let written = onto
            .error
            .map_or_else(|| self.shelf.flush_much(session), Err);
        if let Err(why) = written {
            self.fail(session, why);
        }
    }

    fn headers(
        &mut self,
        exchange: ExchangeId,
        which: Which,
        at: Timestamp,
        status: Option<u16>,
        headers: &HeaderMap,
        effort: Effort,
    ) {
        self.write(exchange, effort, |found, onto, redaction| {
            if found.record == Record::Bodies {
                let filter = Filter::of(redaction, headers);
                let is_eager = is_event_stream(headers);
                let side = SideState::new(which, filter, is_eager);
                if let Some(slot) = found.sides.get_mut(which as usize) {
                    *slot = Some(side);
                }
            }
            onto.head(&Head::Headers(Headers {
                x: exchange,
                side: which,
                at,
                status,
                fields: fields(redaction, headers),
            }));
        });
    }

    fn data(
        &mut self,
        exchange: ExchangeId,
        which: Which,
        at: Timestamp,
        bytes: &Bytes,
        effort: Effort,
    ) {
        add(&self.counters.taken, bytes.len() as u64);
        self.write(exchange, effort, |found, onto, _| {
            if let Some(Some(side)) = found.sides.get_mut(which as usize) {
                side.data(at, bytes, onto);
            }
        });
    }

    fn message(
        &mut self,
        exchange: ExchangeId,
        (at, from, kind, length): (Timestamp, From, Kind, u64),
        bytes: &Bytes,
        withheld: Option<&'static str>,
        effort: Effort,
    ) {
        add(&self.counters.taken, length);
        self.write(exchange, effort, |_, onto, redaction| {
            let stored = match withheld {
                Some(why) => Err(why),
                None => super::redact::message(redaction, kind, bytes),
            };
            let (chunks, redacted, withheld) = match stored {
                Err(why) => (Vec::new(), false, Some(why.to_owned())),
                Ok(stored) => {
                    let chunks = stored.chunks(CHUNK).filter_map(|piece| onto.kept(piece));
                    (chunks.collect(), *stored != **bytes, None)
                }
            };
            onto.head(&Head::Message(MessageHead {
                x: exchange,
                at,
                from,
                kind,
                bytes: length,
                chunks,
                redacted,
                withheld,
            }));
        });
    }

    fn end(&mut self, ending: Ending, effort: Effort) {
        let Some(mut found) = self.exchanges.remove(&ending.exchange) else {
            if let Some((receipt, closed)) = ending.closing {
                closed.write(receipt, None);
            }
            return;
        };
        let session = found.about.session;
        let mut kept = Kept {
            record: found.record,
            first: found.first,
            ..Kept::default()
        };
        let was_there = found.failed.is_none();
        if let Err(why) = self.finish(&mut found, &ending, effort, &mut kept) {
            found.failed.get_or_insert(why.to_string());
            self.failures.push(why);
        }
        if was_there && let Some(open) = self.shelf.get(session) {
            open.exchanges = open.exchanges.saturating_sub(1);
        }
        kept.lost_bytes = ending.lost.bytes();
        kept.lost_messages = ending.lost.messages;
        if let Some(why) = found.failed {
            kept.why = why;
        } else if ending.lost != Lost::default() {
            "the recorder could not keep up".clone_into(&mut kept.why);
        }
        if !kept.why.is_empty() {
            add(&self.counters.gaps, 1);
        }
        if let Some((receipt, closed)) = ending.closing {
            self.due.push(Due {
                session,
                receipt,
                closed,
                kept,
            });
        }
    }

    /// Writes the ends of an exchange's bodies, its gaps and its end.
    fn finish(
        &mut self,
        found: &mut Exchange,
        ending: &Ending,
        effort: Effort,
        kept: &mut Kept,
    ) -> Result<(), RecordingError> {
        let open = self.shelf.open(&found.about, &mut self.marks)?;
        let mut onto = Onto {
            part: &mut open.part,
            exchange: ending.exchange,
            effort,
            error: None,
        };
        ends::write(found, ending, &mut onto, kept, &self.counters);
        let error = onto.error;
        kept.last = open.part.spot();
        error.map_or(Ok(()), Err)
    }

    /// A session's tape cannot be written: what was under way on it is not recorded further.
    fn fail(&mut self, session: SessionId, why: RecordingError) {
        let text = why.to_string();
        for exchange in self.exchanges.values_mut() {
            if exchange.about.session == session && exchange.failed.is_none() {
                exchange.failed = Some(text.clone());
                exchange.broken.store(true, Ordering::Relaxed);
            }
        }
        for due in &mut self.due {
            if due.session == session && due.kept.why.is_empty() {
                due.kept.why.clone_from(&text);
            }
        }
        self.failures.push(why);
    }

    /// Gives out bytes that wait for more, so that the tape is never far behind.
    pub(super) fn settle(&mut self, now: Timestamp, effort: Effort) {
        let stale = |exchange: &Exchange| {
            let mut sides = exchange.sides.iter().flatten();
            sides.any(|side| side.is_stale(now))
        };
        let found: Vec<ExchangeId> = (self.exchanges.iter())
            .filter(|(_, exchange)| stale(exchange))
            .map(|(id, _)| *id)
            .collect();
        for id in found {
            self.write(id, effort, |exchange, onto, _| {
                for side in exchange.sides.iter_mut().flatten() {
                    side.flush(onto);
                }
            });
        }
    }

    /// Writes everything to the files, then the closing records that waited for it.
    pub(super) fn flush(&mut self) {
        for (session, why) in self.shelf.flush() {
            self.fail(session, why);
        }
        for due in self.due.drain(..) {
            due.closed.write(due.receipt, Some(&due.kept));
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
