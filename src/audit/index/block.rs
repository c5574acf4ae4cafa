//! Makes blocks of the records of one batch: records that are alike share a row of the index, in which what they have in
//! common stands once.
//!
//! Consecutive records of a session share nearly all their words, and words are what an index costs. So the records of a
//! batch are put in the order of their tenants and sessions, and cut into rows of up to [`places::MOST`] records.

use super::facts::{Field, Tag, tags, write_text};
use super::hash::Seeded;
use super::places::{self, Place};
use super::pointer::Pointer;
use super::shape::{Found, Shape};
use super::texts::{self, Texts};
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

/// One row of the index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Of sequence numbers.
    pub(super) first: u64,
    pub(super) last: u64,
    /// Of times.
    pub(super) since: i64,
    pub(super) until: i64,
    /// As [`places::write`] has it.
    pub(super) places: Vec<u8>,
    /// Tags, then texts.
    pub(super) words: String,
}

/// The records of one batch, whose lines live as long as `'a`.
#[derive(Default)]
pub(super) struct Batch<'a> {
    /// Every text of the batch once, by its number.
    known: HashMap<Known<'a>, u32, Seeded>,
    texts: Vec<Text<'a>>,
    shapes: Vec<Shaped<'a>>,
    records: Vec<Record>,
    /// The numbers of all records' texts, one record after the other.
    numbers: Vec<u32>,
}

/// The number of an empty text.
const NOTHING: u32 = u32::MAX;

/// Shapes that are known at once: the kinds of records that come often.
const SHAPES: usize = 16;

struct Shaped<'a> {
    shape: Shape<'a>,
    by: By,
}

#[derive(PartialEq, Eq)]
struct Known<'a> {
    place: texts::Place,
    text: Cow<'a, str>,
}

impl Hash for Known<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let field = self.place.field.map_or(0, |field| field as u8 + 1);
        state.write_u8(field << 1 | u8::from(self.place.is_said));
        state.write(self.text.as_bytes());
    }
}

/// What the index takes of one text, and what the block at hand knows of it.
struct Text<'a> {
    said: Option<Cow<'a, str>>,
    tags: Vec<Tag>,
    /// The block that saw it last.
    block: Option<u32>,
    /// That block's records which have it.
    records: u64,
}

struct Record {
    place: Place,
    /// The numbers of its tenant and its session.
    group: (u32, u32),
    /// Where its texts begin in [`Batch::numbers`].
    begin: usize,
}

impl<'a> Batch<'a> {
    /// Takes a record's line.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub(super) fn take(&mut self, pointer: Pointer, line: &'a [u8]) -> serde_json::Result<()> {
        let mut shapes = std::mem::take(&mut self.shapes);
        let known = shapes.iter_mut().position(|it| {
            it.shape
                .follow(line, |place, text| self.number(place, text.into()))
        });
        let begin = self.numbers.len();
        let (time, group) = if let Some(at) = known {
            // The one used last is tried first.
            shapes.get_mut(..=at).unwrap_or_default().rotate_right(1);
            let used = shapes.first();
            let numbers = used.map_or(&[][..], |it| &it.shape.numbers);
            self.numbers.extend_from_slice(numbers);
            used.map_or_else(Default::default, |it| (it.shape.time, it.by.group(numbers)))
        } else {
            let read = self.read(line)?;
            let numbers = self.numbers.get(begin..).unwrap_or_default();
            if let Some(shape) = Shape::of(line, &read.found, numbers, read.time) {
                let by = By::of(&read.found);
                shapes.truncate(SHAPES - 1);
                shapes.insert(0, Shaped { shape, by });
            }
            (read.time, By::of(&read.found).group(numbers))
        };
        self.shapes = shapes;
        self.records.push(Record {
            place: Place { pointer, time },
            group,
            begin,
        });
        Ok(())
    }

    /// Reads a line in full.
    fn read(&mut self, line: &'a [u8]) -> serde_json::Result<Read> {
        let mut reading = Reading {
            line,
            batch: self,
            read: Read::default(),
        };
        texts::read(line, &mut reading)?;
        Ok(reading.read)
    }

    /// The number of a text; a new one where it is not known.
    fn number(&mut self, place: texts::Place, text: Cow<'a, str>) -> u32 {
        if text.is_empty() {
            return NOTHING;
        }
        let next = u32::try_from(self.texts.len()).unwrap_or(NOTHING);
        match self.known.entry(Known { place, text }) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let text = &new.key().text;
                self.texts.push(Text {
                    said: place.is_said.then(|| text.clone()),
                    tags: place.field.map_or(Vec::new(), |field| tags(field, text)),
                    block: None,
                    records: 0,
                });
                *new.insert(next)
            }
        }
    }

    /// For each minute the first and the last sequence number.
    pub(super) fn minutes(&self) -> BTreeMap<i64, (u64, u64)> {
        let mut all = BTreeMap::new();
        for Record { place, .. } in &self.records {
            let seq = place.pointer.seq;
            let minute = all
                .entry(place.time.div_euclid(60_000))
                .or_insert((seq, seq));
            *minute = (minute.0.min(seq), minute.1.max(seq));
        }
        all
    }

    /// All records in blocks, which are in the order of their first records.
    pub(super) fn blocks(&mut self, mut after_each: impl FnMut()) -> Vec<Block> {
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        order.sort_by_key(|at| self.records.get(*at).map(|it| it.group));
        let mut blocks = Vec::new();
        for (nth, records) in (0..).zip(order.chunks_mut(places::MOST)) {
            records.sort_unstable();
            blocks.extend(self.block(nth, records));
            after_each();
        }
        blocks.sort_unstable_by_key(|block| block.first);
        blocks
    }

    fn block(&mut self, nth: u32, records: &[usize]) -> Option<Block> {
        let mut seen = Vec::new();
        let mut placed = Vec::with_capacity(records.len());
        for (slot, at) in records.iter().enumerate() {
            let record = self.records.get(*at)?;
            placed.push(record.place);
            let end = self
                .records
                .get(at + 1)
                .map_or(self.numbers.len(), |it| it.begin);
            for number in self.numbers.get(record.begin..end)? {
                let text = usize::try_from(*number).ok();
                let Some(text) = text.and_then(|at| self.texts.get_mut(at)) else {
                    continue;
                };
                if text.block != Some(nth) {
                    (text.block, text.records) = (Some(nth), 0);
                    seen.push(*number);
                }
                text.records |= 1 << slot;
            }
        }
        let (words, tags) = self.words(&seen);
        let times = placed.iter().map(|it| it.time);
        Some(Block {
            first: placed.first()?.pointer.seq,
            last: placed.last()?.pointer.seq,
            since: times.clone().min()?,
            until: times.max()?,
            places: places::write(&tags, &placed),
            words,
        })
    }

    /// The words of a block's texts, and its tags with the records that have them.
    fn words(&self, seen: &[u32]) -> (String, Vec<(Tag, u64)>) {
        let mut words = String::with_capacity(4096);
        let mut tags: Vec<(Tag, u64)> = Vec::with_capacity(2 * seen.len());
        for number in seen {
            let text = usize::try_from(*number)
                .ok()
                .and_then(|at| self.texts.get(at));
            let Some(text) = text else { continue };
            if let Some(said) = &text.said {
                write_text(said, &mut words);
            }
            tags.extend(text.tags.iter().map(|tag| (*tag, text.records)));
        }
        tags.sort_unstable();
        tags.dedup_by(|again, first| {
            let is_again = again.0 == first.0;
            if is_again {
                first.1 |= again.1;
            }
            is_again
        });
        for (tag, _) in &tags {
            tag.write(&mut words);
            words.push(' ');
        }
        (words, tags)
    }
}

/// What was found in a line that was read in full.
#[derive(Default)]
struct Read {
    found: Vec<Found>,
    time: i64,
}

struct Reading<'b, 'a> {
    line: &'a [u8],
    batch: &'b mut Batch<'a>,
    read: Read,
}

impl<'a> Texts<'a> for Reading<'_, 'a> {
    fn text(&mut self, place: texts::Place, text: Cow<'a, str>) {
        let begin = text.as_ptr().addr().wrapping_sub(self.line.as_ptr().addr());
        self.read.found.push((begin, place));
        let number = self.batch.number(place, text);
        self.batch.numbers.push(number);
    }

    fn time(&mut self, millis: i64) {
        self.read.time = millis;
    }
}

/// By which texts of a line its record is put beside others.
struct By {
    tenant: Option<usize>,
    session: Option<usize>,
}

impl By {
    fn of(found: &[Found]) -> Self {
        let last = |field| {
            found
                .iter()
                .rposition(|(_, place)| place.field == Some(field))
        };
        Self {
            tenant: last(Field::Tenant),
            session: last(Field::Session),
        }
    }

    fn group(&self, numbers: &[u32]) -> (u32, u32) {
        let number = |nth: Option<usize>| nth.and_then(|nth| numbers.get(nth)).copied();
        let of = |nth| number(nth).unwrap_or(NOTHING);
        (of(self.tenant), of(self.session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    const ZERO: Pointer = Pointer {
        seq: 1,
        segment: 1,
        offset: 0,
        mark: 0,
    };

    /// A record's time and its texts.
    type Taken = (i64, BTreeSet<(Option<Field>, bool, String)>);

    /// What a record was taken for.
    fn taken(batch: &Batch<'_>, nth: usize) -> Taken {
        let record = &batch.records[nth];
        let end = batch
            .records
            .get(nth + 1)
            .map_or(batch.numbers.len(), |it| it.begin);
        let numbers = &batch.numbers[record.begin..end];
        let known = batch
            .known
            .iter()
            .filter(|(_, number)| numbers.contains(number));
        let texts = known.map(|(it, _)| (it.place.field, it.place.is_said, it.text.to_string()));
        (record.place.time, texts.collect())
    }

    fn alone(line: &[u8]) -> Option<Taken> {
        let mut batch = Batch::default();
        batch.take(ZERO, line).ok()?;
        Some(taken(&batch, 0))
    }

    fn record() -> impl Strategy<Value = Value> {
        let text = || {
            prop::sample::select(vec![
                "",
                "a",
                "ab",
                "Ünï",
                "x\"y",
                "long enough to be compared",
                "\u{e000}",
            ])
        };
        let number = || prop_oneof![0..20_i64, Just(-3), any::<i64>()];
        let optional = prop::option::of(text());
        (number(), text(), text(), text(), number(), optional, text()).prop_map(
            |(time, session, tenant, reason, port, detail, hash)| {
                let mut record = json!({
                    "time": time, "metadata": { "event_code": "exchange.opened", "uid": hash },
                    "src_endpoint": { "ip": "192.0.2.7", "port": port },
                    "locum": { "session": session, "tenant": { "uid": tenant }, "scopes": ["view", reason],
                        "reason": reason, "policy": hash, "break_glass": false, "nothing": null, "part": 0.5 },
                    "hash": hash,
                });
                if let Some(detail) = detail {
                    record["status_detail"] = detail.into();
                }
                record
            },
        )
    }

    proptest! {
        #[test]
        fn a_line_after_others_is_taken_as_alone(records in prop::collection::vec(record(), 1..24)) {
            let lines: Vec<Vec<u8>> = records.iter().map(|it| serde_json::to_vec(it).expect("JSON")).collect();
            let mut batch = Batch::default();
            for (nth, line) in lines.iter().enumerate() {
                batch.take(ZERO, line).expect("JSON");
                prop_assert_eq!(Some(taken(&batch, nth)), alone(line));
            }
        }

        /// However a line was changed: it is JSON or not, and says the same, whatever stood before it.
        #[test]
        fn a_changed_line_after_others_is_taken_as_alone(
            record in record(),
            at in any::<prop::sample::Index>(),
            with in prop::sample::select(vec!["\"", "\\", "0", "-", ".", ",", "}", " ", "e", "\u{1}", "ü", "{", "null", "9999999999999999999"]),
            cut in 0..3_usize,
        ) {
            // Without the one that makes lines of no shape.
            let mut record = record;
            record["locum"].as_object_mut().expect("object").remove("part");
            let line = serde_json::to_string(&record).expect("JSON");
            let at = line.floor_char_boundary(at.index(line.len()));
            let end = line.ceil_char_boundary((at + cut).min(line.len()));
            for changed in [
                [&line.as_bytes()[..at], with.as_bytes(), &line.as_bytes()[end..]].concat(),
                [&line.as_bytes()[..at], b"\xff", &line.as_bytes()[end..]].concat(),
                line.as_bytes()[..at].to_vec(),
            ] {
                let mut batch = Batch::default();
                batch.take(ZERO, line.as_bytes()).expect("JSON");
                let after = batch.take(ZERO, &changed).ok().map(|()| taken(&batch, 1));
                prop_assert_eq!(&after, &alone(&changed), "{}", String::from_utf8_lossy(&changed));
                prop_assert_eq!(after.is_some(), serde_json::from_slice::<Value>(&changed).is_ok());
            }
        }
    }

    #[test]
    fn records_that_are_alike_stand_together() {
        let line = |session: u32| {
            format!(r#"{{"time":7,"locum":{{"session":"s{session}","ticket":"SUP-1"}}}}"#)
        };
        let lines: Vec<String> = (0..256).map(|nth| line(nth % 4)).collect();
        let mut batch = Batch::default();
        for (seq, line) in (1..).zip(&lines) {
            batch
                .take(Pointer { seq, ..ZERO }, line.as_bytes())
                .expect("JSON");
        }
        let blocks = batch.blocks(|| {});
        assert_eq!(blocks.len(), 4);
        assert_eq!(
            blocks.iter().map(|it| it.first).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        for block in blocks {
            assert_eq!(block.words.matches("SUP-1").count(), 1);
            assert_eq!(
                (block.last - block.first, block.since, block.until),
                (252, 7, 7)
            );
            let session = Tag::new(Field::Session, &format!("s{}", block.first - 1));
            let having = places::read(&block.places, |having| having(session)).expect("a row");
            assert_eq!(having.len(), places::MOST);
        }
    }
}
