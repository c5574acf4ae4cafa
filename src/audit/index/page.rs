//! One page of what was found: each record is read where the index points, and decides itself.

use super::Settings;
use super::error::IndexError;
use super::facts::said;
use super::places::Place;
use super::pointer::{Shelf, Stands};
use super::query::{Order, Query};
use super::said::Said;
use crate::audit::sink::Record;
use crate::audit::tail::Entry;
use crate::model::Timestamp;
use std::ops::ControlFlow;

/// Records that are asked for their words at once, at least.
const AT_ONCE: usize = 32;

/// One page of what was found.
#[derive(Debug, Default)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// Give it as [`Query::after`] for the next page; `None`: that was all.
    pub next: Option<u64>,
    /// Records that the index points at and the journal does not have so.
    pub faults: Vec<Fault>,
    /// The last sequence number that is indexed.
    pub indexed: u64,
}

/// A record that is not what was indexed: the journal was changed after it was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    pub sequence: u64,
    pub why: &'static str,
}

/// A page on its way.
pub(super) struct Page<'q> {
    query: &'q Query,
    said: Option<Said>,
    settings: &'q Settings,
    shelf: Shelf,
    found: Found,
    limit: usize,
    looked_at: usize,
}

impl<'q> Page<'q> {
    pub(super) fn new(query: &'q Query, said: Option<Said>, settings: &'q Settings) -> Self {
        Self {
            query,
            said,
            settings,
            shelf: Shelf::new(&settings.journal),
            found: Found::default(),
            limit: query.limit.max(1),
            looked_at: 0,
        }
    }

    pub(super) fn found(mut self, indexed: u64) -> Found {
        trim(&mut self.found, self.limit, self.query.order);
        self.found.indexed = indexed;
        self.found
    }

    /// Takes records of one batch, in any order; says when there is no more to look for.
    pub(super) fn take(&mut self, mut places: Vec<Place>) -> Result<ControlFlow<()>, IndexError> {
        places.retain(|place| self.is_asked(place));
        places.sort_unstable_by_key(|place| place.pointer.seq);
        if self.query.order == Order::Newest {
            places.reverse();
        }
        let mut rest = places.as_slice();
        while !rest.is_empty() {
            // One more than asked for tells whether there is a next page. Words are looked for in several at once.
            let wanted = (self.limit + 1).saturating_sub(self.count());
            let at_once = if self.said.is_some() { AT_ONCE } else { 1 };
            let (now, later) = rest.split_at(wanted.max(at_once).min(rest.len()));
            self.look(now)?;
            self.looked_at += now.len();
            rest = later;
            if self.count() > self.limit {
                return Ok(ControlFlow::Break(()));
            }
            if self.looked_at >= self.settings.page_reads {
                self.found.next = now.last().map(|place| place.pointer.seq);
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn count(&self) -> usize {
        self.found.entries.len() + self.found.faults.len()
    }

    /// Whether it is of this page and of the time that is asked for, as far as the index knows.
    fn is_asked(&self, place: &Place) -> bool {
        let seq = place.pointer.seq;
        let is_of_page = self.query.after.is_none_or(|after| match self.query.order {
            Order::Newest => seq < after,
            Order::Oldest => seq > after,
        });
        is_of_page
            && place.time >= self.query.since.map_or(i64::MIN, Timestamp::millis)
            && place.time < self.query.until.map_or(i64::MAX, Timestamp::millis)
    }

    /// Reads records and keeps those that are what was looked for.
    fn look(&mut self, places: &[Place]) -> Result<(), IndexError> {
        let mut entries = Vec::new();
        for place in places {
            entries.extend(self.read(place)?);
        }
        if let Some(words) = &self.said {
            let texts = (0..)
                .zip(&entries)
                .map(|(nth, entry)| (nth, said(&entry.json)));
            let those = words.those(texts);
            let those = those.map_err(IndexError::sql(&self.settings.path))?;
            let mut nth = 0..;
            entries.retain(|_| nth.next().is_some_and(|nth| those.contains(&nth)));
        }
        self.found.entries.append(&mut entries);
        Ok(())
    }

    /// The record, if it is what was looked for but for its words.
    fn read(&mut self, place: &Place) -> Result<Option<Entry>, IndexError> {
        let journal = || IndexError::io(&self.settings.journal);
        let seq = place.pointer.seq;
        let line = match self.shelf.read(&place.pointer).map_err(journal())? {
            Stands::Record(line) => line,
            Stands::Other(why) => {
                self.found.faults.push(Fault { sequence: seq, why });
                return Ok(None);
            }
        };
        let said = self.said.as_ref();
        if said.is_some_and(|said| !said.may_be_in(&line)) {
            return Ok(None);
        }
        let entry = Entry::parse(Record { seq, line }).map_err(journal())?;
        Ok(self.query.takes(&entry.json).then_some(entry))
    }
}

/// Leaves what was read beyond the page to the next one.
fn trim(found: &mut Found, limit: usize, order: Order) {
    if found.entries.len() + found.faults.len() <= limit {
        return;
    }
    let mut all: Vec<u64> = found.entries.iter().map(|it| it.sequence).collect();
    all.extend(found.faults.iter().map(|it| it.sequence));
    all.sort_unstable();
    if order == Order::Newest {
        all.reverse();
    }
    let Some(last) = limit.checked_sub(1).and_then(|at| all.get(at)).copied() else {
        return;
    };
    let is_before = |sequence: u64| match order {
        Order::Newest => sequence >= last,
        Order::Oldest => sequence <= last,
    };
    found.entries.retain(|it| is_before(it.sequence));
    found.faults.retain(|it| is_before(it.sequence));
    found.next = Some(last);
}
