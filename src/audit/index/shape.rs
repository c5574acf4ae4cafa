//! Lines of one shape: they differ in values alone. What of a line is as it was in the last one of its shape is compared,
//! and not read again: most of a record is as in the one before.
//!
//! A line is of the shape of one that is JSON where it differs from that only between the quotes of values without any
//! escape, and in whole numbers. So it is JSON too, with the same members at the same places.

use super::texts::Place;

/// A number of more digits may be none that fits.
const DIGITS: usize = 18;

/// A text of a line: where it begins there, and its place.
pub(super) type Found = (usize, Place);

/// A shape, and the last line that had it.
pub(super) struct Shape<'a> {
    line: &'a [u8],
    values: Vec<Value>,
    /// Values of the line at hand that are not as in the last one.
    changes: Vec<Change>,
    /// What the last line's texts are to the batch, in their order.
    pub(super) numbers: Vec<u32>,
    /// The last line's.
    pub(super) time: i64,
}

/// A value that may differ from line to line: the text within its quotes, or the digits.
struct Value {
    begin: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text that is looked for, the so-manieth of its line.
    Text {
        place: Place,
        nth: usize,
    },
    /// A text that nobody looks for.
    Other,
    Number,
    /// The record's time.
    Time,
}

struct Change {
    value: usize,
    begin: usize,
    end: usize,
}

impl<'a> Shape<'a> {
    /// The shape of a line that is JSON, with the texts that were `found` in it and their `numbers`. `None`: it is none
    /// that others could be compared with.
    pub(super) fn of(line: &'a [u8], found: &[Found], numbers: &[u32], time: i64) -> Option<Self> {
        let mut values = values(line)?;
        for value in values.iter_mut().filter(|it| it.kind == Kind::Other) {
            let mut found = found.iter().enumerate();
            if let Some((nth, (_, place))) = found.find(|(_, (begin, _))| *begin == value.begin) {
                value.kind = Kind::Text { place: *place, nth };
            }
        }
        Some(Self {
            line,
            values,
            changes: Vec::new(),
            numbers: numbers.to_vec(),
            time,
        })
    }

    /// Goes on to `line` if it is of this shape; asks for the numbers of texts that are others than before.
    pub(super) fn follow(
        &mut self,
        line: &'a [u8],
        mut number: impl FnMut(Place, &'a str) -> u32,
    ) -> bool {
        if self.compare(line).is_none() {
            return false;
        }
        let mut changes = self.changes.iter().peekable();
        let mut shift = 0;
        for (nth, value) in self.values.iter_mut().enumerate() {
            let Some(change) = changes.next_if(|it| it.value == nth) else {
                value.begin = value.begin.wrapping_add(shift);
                value.end = value.end.wrapping_add(shift);
                continue;
            };
            shift = change.end.wrapping_sub(value.end);
            (value.begin, value.end) = (change.begin, change.end);
            let text = || {
                let text = line.get(change.begin..change.end).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            };
            match value.kind {
                Kind::Text { place, nth } => {
                    if let Some(known) = self.numbers.get_mut(nth) {
                        *known = number(place, text());
                    }
                }
                Kind::Time => self.time = text().parse().unwrap_or(0),
                Kind::Other | Kind::Number => {}
            }
        }
        self.line = line;
        true
    }

    /// Notes all changes; `None` where the line is not of this shape.
    fn compare(&mut self, line: &[u8]) -> Option<()> {
        self.changes.clear();
        let (mut old, mut new, mut from) = (0, 0, 0);
        loop {
            let (before, now) = (self.line.get(old..)?, line.get(new..)?);
            let same = alike(before, now);
            if same == before.len() && same == now.len() {
                return Some(());
            }
            let parted = old + same;
            let behind = self.values.get(from..)?;
            let nth = from + behind.iter().position(|it| it.end >= parted)?;
            let value = self.values.get(nth).filter(|it| it.begin <= parted)?;
            let begin = new + (value.begin - old);
            let end = begin + length(value.kind, line.get(begin..)?)?;
            self.changes.push(Change {
                value: nth,
                begin,
                end,
            });
            (old, new, from) = (value.end, end, nth + 1);
        }
    }
}

/// Of how many bytes both begin alike.
fn alike(one: &[u8], two: &[u8]) -> usize {
    let (words, _) = one.as_chunks::<8>();
    let (others, _) = two.as_chunks::<8>();
    for (nth, (word, other)) in words.iter().zip(others).enumerate() {
        let differs = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if differs != 0 {
            return 8 * nth + differs.trailing_zeros() as usize / 8;
        }
    }
    let whole = 8 * words.len().min(others.len());
    let rest = one.iter().zip(two).skip(whole);
    whole + rest.take_while(|(one, two)| one == two).count()
}

/// Whether a text stands in its line as it is.
fn is_plain(text: &[u8]) -> bool {
    let is_even = text.iter().min().is_none_or(|b| *b >= b' ');
    is_even && !text.contains(&b'\\') && (text.is_ascii() || std::str::from_utf8(text).is_ok())
}

/// How long the value at the beginning of `rest` is; `None` where there is none of this kind.
fn length(kind: Kind, rest: &[u8]) -> Option<usize> {
    match kind {
        Kind::Text { .. } | Kind::Other => {
            let length = memchr::memchr(b'"', rest)?;
            is_plain(rest.get(..length)?).then_some(length)
        }
        Kind::Number | Kind::Time => {
            let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let is_plain = match rest.first() {
                Some(b'0') => length == 1,
                _ => (1..=DIGITS).contains(&length),
            };
            is_plain.then_some(length)
        }
    }
}

/// The length of a string that has begun, and whether it has no escape.
fn string(rest: &[u8]) -> Option<(usize, bool)> {
    let (mut at, mut is_plain) = (0, true);
    loop {
        at += memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest.get(at) == Some(&b'"') {
            return Some((at, is_plain));
        }
        (at, is_plain) = (at + 2, false);
    }
}

/// The values of a line that is JSON; `None` where it has blanks between its parts, a name with an escape, or a number
/// with more than digits.
fn values(line: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    let (mut at, mut depth, mut times, mut is_time) = (0, 0, 0, false);
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => {
                let begin = at + 1;
                let (length, is_plain) = string(line.get(begin..)?)?;
                let end = begin + length;
                at = end + 1;
                if line.get(at) == Some(&b':') {
                    // What else could be the name of the time?
                    if !is_plain {
                        return None;
                    }
                    is_time = depth == 1 && line.get(begin..end) == Some(b"time");
                    times += usize::from(is_time);
                    continue;
                }
                // With an escape it is part of the shape.
                if is_plain {
                    let kind = Kind::Other;
                    values.push(Value { begin, end, kind });
                }
            }
            b'0'..=b'9' => {
                let kind = if is_time { Kind::Time } else { Kind::Number };
                let end = at + length(kind, line.get(at..)?)?;
                let begin = at;
                line.get(end).filter(|b| matches!(b, b',' | b'}' | b']'))?;
                values.push(Value { begin, end, kind });
                at = end;
            }
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth - 1),
            // What stands between values, and within `true`, `false`, `null`.
            b':' => {
                at += 1;
                continue;
            }
            b',' | b'a'..=b'z' => at += 1,
            _ => return None,
        }
        is_time = false;
    }
    // Of two times the last one counts: that is for those who read in full.
    let known = values.iter().filter(|it| it.kind == Kind::Time).count();
    (times == known && times <= 1).then_some(values)
}
