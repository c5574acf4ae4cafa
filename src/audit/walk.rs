//! A walk over a record's JSON that reads only what it is asked for.
//!
//! It knows JSON as records are written: without spaces, and keys without escapes. Every step says `None` where the
//! line is no such JSON; then a full parser must look. What it gives is what a full parser gives.

/// Objects and lists within each other, at most, in what is passed over. Records have four.
const DEPTH: u32 = 64;

/// What is left of a line.
#[derive(Debug)]
pub(super) struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self(line)
    }

    /// Whether all was read.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// The members of the object here; `each` gets a key, and must come by its value.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.key()?;
            each(self, key)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// The text here, if it is without escapes.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let text = self.plain::<false>();
        self.take(b'"')?;
        std::str::from_utf8(text).ok()
    }

    /// A key and its colon. One that is not ASCII might be no text at all.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let key = self.plain::<true>();
        self.take(b'"')?;
        self.take(b':')?;
        Some(key)
    }

    /// Comes by any value.
    pub(super) fn skip(&mut self) -> Option<()> {
        // A bit for each object or list around, the innermost lowest: whether it is an object.
        let (mut depth, mut objects) = (0, 0_u64);
        loop {
            let (first, rest) = self.0.split_first()?;
            match first {
                b'{' | b'[' => {
                    let is_object = *first == b'{';
                    self.0 = rest;
                    if self.take(if is_object { b'}' } else { b']' }).is_none() {
                        if depth == DEPTH {
                            return None;
                        }
                        depth += 1;
                        objects = objects << 1 | u64::from(is_object);
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.0 = rest;
                    self.skip_text()?;
                }
                b'0'..=b'9' | b'-' => self.number()?,
                _ => self.word()?,
            }
            // After a value: the next one, or ends of what is around it.
            loop {
                if depth == 0 {
                    return Some(());
                }
                let is_object = objects & 1 == 1;
                if self.take(b',').is_some() {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                self.take(if is_object { b'}' } else { b']' })?;
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    fn skip_text(&mut self) -> Option<()> {
        loop {
            self.plain::<false>();
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            match first {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        match first {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let (digits, rest) = self.0.split_first_chunk::<4>()?;
                self.0 = rest;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    /// A whole number; all others are left to a full parser.
    fn number(&mut self) -> Option<()> {
        if self.take(b'0').is_none() {
            let _ = self.take(b'-');
            let (b'1'..=b'9', mut rest) = self.0.split_first()? else {
                return None;
            };
            while let Some((b'0'..=b'9', after)) = rest.split_first() {
                rest = after;
            }
            self.0 = rest;
        }
        let is_whole = |next: &u8| !matches!(next, b'0'..=b'9' | b'.' | b'e' | b'E');
        self.0.first().is_none_or(is_whole).then_some(())
    }

    fn word(&mut self) -> Option<()> {
        let words = [&b"true"[..], b"false", b"null"];
        self.0 = words.iter().find_map(|word| self.0.strip_prefix(*word))?;
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == byte).then(|| self.0 = rest)
    }

    /// Takes what comes before the next quote, backslash or control character (or byte beyond ASCII).
    fn plain<const ASCII: bool>(&mut self) -> &'a [u8] {
        let all = self.0;
        let mut rest = all;
        while let Some((word, after)) = rest.split_first_chunk::<8>() {
            let found = special::<ASCII>(u64::from_le_bytes(*word));
            if found != 0 {
                rest = rest
                    .get(found.trailing_zeros() as usize / 8..)
                    .unwrap_or_default();
                break;
            }
            rest = after;
        }
        if rest.len() < 8 {
            let ends = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\' || (ASCII && !b.is_ascii());
            let more = rest.iter().take_while(|b| !ends(b)).count();
            rest = rest.get(more..).unwrap_or_default();
        }
        let (plain, rest) = all
            .split_at_checked(all.len() - rest.len())
            .unwrap_or_default();
        self.0 = rest;
        plain
    }
}

/// The lowest bit that is set stands in the first byte (of eight) that ends plain text; those above it mean nothing.
/// <https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>
fn special<const ASCII: bool>(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = is_zero(word ^ (ONES * u64::from(b'"')));
    let backslash = is_zero(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let beyond = if ASCII { word } else { 0 };
    (quote | backslash | control | beyond) & (ONES << 7)
}
